"""Downloading the corpora whose publishers offer them to everybody.

What a card does not name is not downloaded. A download may be interrupted at any moment and goes
on where it was; it gets its name when its digest is that of its publisher, or, where none is
published, that of the first download, which the workspace remembers.

On urllib3, whose pools, time limits and proxies are used, and not pooch: pooch begins a large file
anew after every interruption, where the corpora's servers break off often.
"""

from __future__ import annotations

import hashlib
import posixpath
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from urllib.parse import unquote
from urllib.parse import urljoin
from urllib.parse import urlsplit

from sercore.__about__ import __version__
from sercore.corpora.archives import extract
from sercore.corpora.locate import find_corpus
from sercore.errors import CorpusError
from sercore.errors import FetchError
from sercore.errors import NotOfferedError
from sercore.errors import SettingsError
from sercore.errors import WorkspaceError
from sercore.storage.workspace import Workspace
from sercore.storage.workspace import write_error

if TYPE_CHECKING:
    import urllib3

    from sercore.corpora.interface import CorpusCard
    from sercore.corpora.interface import Download

MOST_CONNECTIONS = 2
"""At once, to whichever servers: publishers are universities, not content networks."""

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
# Publishers answer 403 and 429 alike to clients that ask too often.
_WORTH_WAITING = (403, 408, 429, 500, 502, 503, 504)
_BLOCK = 2**20
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long a download waits for its server."""

    attempts: int = 6
    """In a row that bring nothing new."""
    first_wait_s: float = 2.0
    """Before the second attempt; doubled before each later one."""
    stalled_after_s: float = 60.0
    """Seconds without a byte."""
    longest_wait_s: float = 300.0
    """A server that asks for more is asked another day."""
    pause: Callable[[float], object] | None = None
    """What waits in place of the clock."""


Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are here, and all of them where that is known."""


def _no_progress(name: str, done: int, total: int | None) -> None:
    del name, done, total


class _NotWhole(Exception):  # noqa: N818 - a state that is retried, never shown
    """An attempt ended before the file did."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def fetch(
    card: CorpusCard,
    data: Path,
    workspace: Workspace,
    *,
    addresses: Iterable[str] = (),
    accept_licence: bool = False,
    progress: Progress = _no_progress,
    retry: RetryPolicy | None = None,
) -> Path:
    """Download a corpus into a data folder.

    Args:
        card: the corpus; one that has `downloads`.
        data: the folder that holds corpora.
        workspace: keeps what was accepted, recorded digests and unfinished downloads; must be on
            this machine.
        addresses: of files whose own address the card does not know; remembered.
        accept_licence: the user accepts the licence; remembered.
        progress: told how far each file is.
        retry: how long to wait for servers.

    Returns:
        The folder of the corpus.

    Raises:
        CorpusError: the corpus is not offered for download, or what came is no sound archive.
        SettingsError: its licence has not been accepted, or an address is missing or superfluous.
        FetchError: a file cannot be had or is not what its publisher states.
        WorkspaceError: it cannot be written.
    """
    present = find_corpus(card, data)
    folder = f"downloads/{card.id}"
    if present is not None:
        _clean_up(folder, data, workspace)
        return present
    if not card.downloads:
        raise NotOfferedError(
            f"{card.title} is not offered for plain download", hint=how_to_obtain(card)
        )
    record = _Record(workspace, card.id)
    if not record.accepts(card.licence):
        if not accept_licence:
            raise SettingsError(
                f"{card.title} may be downloaded under its licence: "
                f"{card.licence or 'none is stated'} ({card.homepage})",
                hint="read it, then run again with --accept-licence",
            )
        record.accept(card.licence)
    sources = _sources(card, tuple(addresses), record)
    if not workspace.is_local:
        raise WorkspaceError(
            f"{workspace.root} is not on this machine, so nothing can be downloaded there",
            hint="choose a --workspace on this machine",
        )
    with workspace.claim(folder, f"the download of {card.title}"):
        place = Path(workspace.path(folder))
        archives = _download_all(sources, place, record, progress, retry or RetryPolicy())
        try:
            with Workspace(data).new_folder(card.folders[0]) as filling:
                _fill(card, archives, filling)
                _remember(sources, archives, record)
        except CorpusError:  # what came is no archive: it must not be found here the next time
            for archive in archives:
                archive.unlink()
            raise
        workspace.remove(folder)
    return data / card.folders[0]


def _clean_up(folder: str, data: Path, workspace: Workspace) -> None:
    """Remove what a process left that was killed after it unpacked a corpus."""
    Workspace(data).sweep()
    workspace.sweep()
    if workspace.is_local and workspace.exists(folder):
        with workspace.try_lease(folder) as lease:
            if lease is not None:
                workspace.remove(folder)


def _remember(sources: Iterable[_Source], archives: Iterable[Path], record: _Record) -> None:
    """Record digests and addresses that the card does not know, once the archives are unpacked."""
    for source, archive in zip(sources, archives, strict=True):
        download = source.download
        if not (download.sha256 or download.md5):
            record.remember("digests", download.filename, file_digest(archive, "sha256"))
        if download.url is None:
            record.remember("addresses", download.filename, source.url)


def how_to_obtain(card: CorpusCard) -> str:
    """Return how a corpus is had and where it goes, in a few sentences."""
    parts = [card.obtain.rstrip()]
    if card.homepage:
        parts.append(f"Home page: {card.homepage}.")
    parts.append(f"Put it into the data folder as '{card.folders[0]}'.")
    return " ".join(parts)


def file_digest(path: Path, algorithm: str) -> str:
    """Return the digest of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


class _Record:
    """What is remembered about the downloads of one corpus."""

    def __init__(self, workspace: Workspace, corpus: str) -> None:
        self._workspace = workspace
        self.path = f"fetched/{corpus}.json"
        self._content: dict[str, Any] = {"digests": {}, "addresses": {}}
        if workspace.exists(self.path):
            self._content.update(workspace.read_json(self.path))

    def accepts(self, licence: str | None) -> bool:
        return "licence" in self._content and self._content["licence"] == licence

    def accept(self, licence: str | None) -> None:
        self._content["licence"] = licence
        self._workspace.write_json(self.path, self._content)

    def recall(self, kind: str, key: str) -> str | None:
        """Return what is remembered of a file: of ``digests`` or of ``addresses``."""
        found: str | None = self._content[kind].get(key)
        return found

    def remember(self, kind: str, key: str, value: str) -> None:
        self._content[kind][key] = value
        self._workspace.write_json(self.path, self._content)


@dataclass(frozen=True, slots=True)
class _Source:
    """A file and the address that it comes from."""

    download: Download
    url: str


def _sources(card: CorpusCard, addresses: Sequence[str], record: _Record) -> list[_Source]:
    """Return where each file of a corpus comes from.

    An address belongs to the file that it ends in; the only address, to the only file that has
    none.
    """
    for address in addresses:
        _check_address(address)
    given = {posixpath.basename(unquote(urlsplit(each).path)): each for each in addresses}
    unknown = [each.filename for each in card.downloads if each.url is None]
    if len(unknown) == len(addresses) == 1:
        given = {unknown[0]: addresses[0]}
    for name, address in given.items():
        if name not in unknown:
            raise SettingsError(
                f"{address} is no file of {card.title} whose address is missing",
                hint=f"addresses are wanted of {', '.join(unknown) or 'none'}",
            )
    sources = []
    for download in card.downloads:
        url = download.url or given.get(download.filename)
        url = url or record.recall("addresses", download.filename)
        if url is None:
            raise SettingsError(
                f"{card.title} is offered at {card.homepage}, and the address of "
                f"{download.filename} there is not known for certain",
                hint=f"copy it from that page: sercore fetch {card.id} --from URL",
            )
        sources.append(_Source(download, url))
    return sources


def _download_all(
    sources: Sequence[_Source],
    place: Path,
    record: _Record,
    progress: Progress,
    retry: RetryPolicy,
) -> list[Path]:
    jobs = [_Job(each.download, each.url, place, record, progress, retry) for each in sources]
    with ThreadPoolExecutor(MOST_CONNECTIONS) as pool:
        try:
            return list(pool.map(_Job.run, jobs))
        except BaseException:
            for job in jobs:
                job.stopped.set()
            raise


def _client(url: str, retry: RetryPolicy) -> urllib3.PoolManager:
    from urllib.request import getproxies
    from urllib.request import proxy_bypass

    import urllib3

    options: dict[str, Any] = {
        "headers": {"User-Agent": f"sercore/{__version__}", "Accept-Encoding": "identity"},
        "timeout": urllib3.Timeout(connect=30, read=retry.stalled_after_s),
        "retries": False,
    }
    host = urlsplit(url).hostname or ""
    proxy = None if host in _LOOPBACK or proxy_bypass(host) else getproxies().get("https")
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


def _fill(card: CorpusCard, archives: list[Path], folder: Path) -> None:
    for download, archive in zip(card.downloads, archives, strict=True):
        if download.unpack:
            extract(archive, folder, skip=card.unread)
        else:
            with archive.open("rb") as source, (folder / download.filename).open("wb") as target:
                while block := source.read(_BLOCK):
                    target.write(block)
    children = list(folder.iterdir())
    if len(children) == 1 and children[0].is_dir():  # most archives hold one folder of their name
        inner = children[0].rename(folder / f"{folder.name}.inner")
        for child in list(inner.iterdir()):
            child.rename(folder / child.name)
        inner.rmdir()


@dataclass(slots=True)
class _Job:
    """One file on its way."""

    download: Download
    url: str
    place: Path
    record: _Record
    progress: Progress
    retry: RetryPolicy
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def part(self) -> Path:
        return self.place / f"{self.download.filename}.part"

    @property
    def version(self) -> Path:
        """Holds the server's name for the version that the part is of."""
        return self.place / f"{self.download.filename}.version"

    def run(self) -> Path:
        """Return the file, whole and of the right digest."""
        _check_address(self.url)
        target = self.place / self.download.filename
        if target.exists():
            return target
        try:
            self.place.mkdir(parents=True, exist_ok=True)
            wrong = self._complete()
            if wrong is not None:  # perhaps its beginning was of another version
                self._forget()
                wrong = self._complete()
            if wrong is not None:
                self._forget()
                raise wrong
            self.part.replace(target)
            self.version.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(str(self.part), error) from error
        return target

    def _complete(self) -> FetchError | None:
        """Attempt until the part is whole, and return what is wrong with it."""
        client = _client(self.url, self.retry)
        best, failures = self._size(), 0
        try:
            while True:
                if self.stopped.is_set():
                    raise _interrupted()
                try:
                    self._attempt(client)
                except _NotWhole as reason:
                    size = self._size()
                    failures = 1 if size > best else failures + 1
                    best = max(best, size)
                    self._wait(reason, failures)
                else:
                    return self._wrong_digest()
        finally:
            client.clear()

    def _wait(self, reason: _NotWhole, failures: int) -> None:
        wait_s = self.retry.first_wait_s * 2 ** (failures - 1)
        asked_s = reason.wait_s or 0.0
        if failures >= self.retry.attempts or asked_s > self.retry.longest_wait_s:
            asks = f" and asks to wait {asked_s:.0f} s" if asked_s else ""
            raise FetchError(
                f"{self.url} cannot be downloaded: {reason}{asks}",
                hint="run again later; what is here already is kept",
            ) from reason
        pause = self.retry.pause or self.stopped.wait
        pause(max(asked_s, min(wait_s, self.retry.longest_wait_s)))

    def _attempt(self, client: urllib3.PoolManager) -> None:
        import urllib3

        offset = self._size()
        try:
            response = self._open(client, offset)
            try:
                self._receive(response, offset)
            finally:
                response.close()
        except urllib3.exceptions.ReadTimeoutError as error:
            raise _NotWhole(f"no byte came for {self.retry.stalled_after_s:g} s") from error
        except urllib3.exceptions.HTTPError as error:
            raise _NotWhole(" ".join(str(error).split()) or type(error).__name__) from error

    def _open(self, client: urllib3.PoolManager, offset: int) -> urllib3.BaseHTTPResponse:
        headers = dict(client.headers)
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if version := self.version.read_text(encoding="ascii"):
                headers["If-Range"] = version
        url = self.url
        for _ in range(_MOST_REDIRECTS + 1):
            response = client.request(
                "GET", url, headers=headers, redirect=False, preload_content=False
            )
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("Location", "")
            response.close()
            url = urljoin(url, location)
            _check_address(url)
        raise FetchError(
            f"{self.url} leads through more than {_MOST_REDIRECTS} redirections",
            hint="ask its publisher, or tell the authors of the plugin",
        )

    def _receive(self, response: urllib3.BaseHTTPResponse, offset: int) -> None:
        total = self._total(response, offset)
        if total is None and response.status == 416:
            return
        mode = "ab" if response.status == 206 else "wb"
        done = offset if mode == "ab" else 0
        if mode == "wb":
            self.part.unlink(missing_ok=True)
            self.version.write_text(_version(response), encoding="ascii")
        with self.part.open(mode) as file:
            # What read1 returns is written at once: an interruption loses nothing.
            while block := response.read1(_BLOCK, decode_content=False):
                if self.stopped.is_set():
                    raise _interrupted()
                file.write(block)
                done += len(block)
                self.progress(self.download.filename, done, total)
        if total is not None and done < total:
            raise _NotWhole(f"the connection ended after {done} of {total} bytes")
        if total is not None and done > total:
            self._forget()
            raise _NotWhole(f"{done} bytes came where {total} were promised")

    def _total(self, response: urllib3.BaseHTTPResponse, offset: int) -> int | None:
        """Return the size of the whole file, after checking that the answer is of use."""
        status = response.status
        if status in _WORTH_WAITING:
            raise _NotWhole(f"the server answers {status}", wait_s=_retry_after(response))
        if status == 416:
            length = response.headers.get("Content-Range", "").rpartition("/")[2]
            if length == str(offset):
                return None
            self._forget()
            raise _NotWhole("the server has another version of the file now")
        if status == 206:
            span, _, length = response.headers.get("Content-Range", "").partition("/")
            if span.removeprefix("bytes ").partition("-")[0] != str(offset):
                self._forget()
                raise _NotWhole("the server sent another part than was asked for")
            return int(length) if length.isdigit() else None
        if status != 200:
            raise FetchError(
                f"{self.url} cannot be downloaded: the server answers {status}",
                hint="see the corpus's home page for where it is now",
            )
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else self.download.size

    def _wrong_digest(self) -> FetchError | None:
        """Return what is wrong with a whole part, or None."""
        wanted = {"sha256": self.download.sha256, "md5": self.download.md5}
        if not any(wanted.values()):
            wanted["sha256"] = self.record.recall("digests", self.download.filename)
            source = "the first download had"
        else:
            source = "its publisher states"
        for algorithm, expected in wanted.items():
            if expected is not None:
                found = file_digest(self.part, algorithm)
                if found != expected.lower():
                    return FetchError(
                        f"{self.url} has the {algorithm} {found}, and {source} {expected}",
                        hint="it was not kept; if the publisher replaced the file on purpose, "
                        f"remove {self.record.path} from the workspace"
                        if source.startswith("the first")
                        else "it was not kept; run again, and ask the publisher if this persists",
                    )
        return None

    def _size(self) -> int:
        """Return how many bytes are here that can be gone on from."""
        try:
            size, version = self.part.stat().st_size, self.version.read_text(encoding="ascii")
        except FileNotFoundError:
            size, version = 0, ""
        # Without a name of its version, only a published digest tells whether parts fit together.
        if size and not (version or self.download.sha256 or self.download.md5):
            size = 0
        if not size:
            self._forget()
        return size

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)


def _interrupted() -> FetchError:
    return FetchError("the download was interrupted", hint="run again: it goes on where it was")


def _version(response: urllib3.BaseHTTPResponse) -> str:
    """Return what a server calls this version of a file; empty if it has no strong name for it."""
    tag = response.headers.get("ETag", "")
    name = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    return name if name.isascii() else ""


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    try:
        return Retry().parse_retry_after(response.headers["Retry-After"])
    except (KeyError, InvalidHeader):
        return None


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise FetchError(
        f"{url} is not an https address, and nothing is downloaded over anything else",
        hint="download it yourself, or tell the authors of the plugin",
    )
