"""Transfer files over HTTPS: resumed after interruptions, checked against their digests.

urllib3 supplies connections, time limits and proxies. pooch starts a large file again after every
interruption, and the servers of corpora interrupt often.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from urllib.parse import urljoin
from urllib.parse import urlsplit

from sercore.__about__ import __version__
from sercore.errors import FetchError
from sercore.storage.workspace import write_error

if TYPE_CHECKING:
    import urllib3

    from sercore.corpora.interface import Download

MOST_CONNECTIONS = 2
"""Connections at the same time, to all servers: publishers are universities, not networks."""

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
# Publishers answer 403 and 429 alike to clients that ask too often.
_RETRIED = (403, 408, 429, 500, 502, 503, 504)
_BLOCK = 2**20
_LARGEST_LISTING = 2**25
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

Recall = Callable[[str], str | None]
"""Returns the SHA-256 of the first download of a file, by its name; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long a download waits for its server."""

    attempts: int = 6
    """Consecutive attempts without a new byte."""
    first_wait_s: float = 2.0
    """Before the second attempt; doubled before every later one."""
    stalled_after_s: float = 60.0
    """Seconds without a byte."""
    longest_wait_s: float = 300.0
    """A server that asks for a longer wait fails the download."""
    pause: Callable[[float], object] | None = None
    """Waits in place of the clock."""


Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes on disk, and the size of the file; None if unknown."""


def no_progress(name: str, done: int, total: int | None) -> None:
    """Ignore the progress of a download."""
    del name, done, total


class _NotWhole(Exception):  # noqa: N818 - a state that is retried, never shown
    """An attempt ended before the file did."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def file_digest(path: Path, algorithm: str) -> str:
    """Return the digest of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def read_json(url: str, retry: RetryPolicy) -> Any:
    """Return the value of a JSON document on the web.

    Raises:
        FetchError: it cannot be downloaded, is too large or is not JSON.
    """
    import urllib3

    check_address(url)
    client = _client(url, retry)
    try:
        response = client.request("GET", url, preload_content=False)
        data = response.read(_LARGEST_LISTING + 1)
    except urllib3.exceptions.HTTPError as error:
        raise _no_listing(url, " ".join(str(error).split())) from error
    finally:
        client.clear()
    if response.status != 200 or len(data) > _LARGEST_LISTING:
        raise _no_listing(url, f"the server answers {response.status}, {len(data)} bytes")
    try:
        return json.loads(data)
    except ValueError as error:
        raise _no_listing(url, "it is not JSON") from error


def _no_listing(url: str, reason: str) -> FetchError:
    return FetchError(
        f"the publisher's list of files, {url}, cannot be read: {reason}",
        hint="run again later, or give the address of the file: --from URL",
    )


def _client(url: str, retry: RetryPolicy) -> urllib3.PoolManager:
    from urllib.request import getproxies
    from urllib.request import proxy_bypass

    import urllib3

    options: dict[str, Any] = {
        "headers": {
            "User-Agent": f"Mozilla/5.0 (compatible; sercore/{__version__})",
            "Accept-Encoding": "identity",
        },
        "timeout": urllib3.Timeout(connect=30, read=retry.stalled_after_s),
        "retries": False,
    }
    host = urlsplit(url).hostname or ""
    proxy = None if host in _LOOPBACK or proxy_bypass(host) else getproxies().get("https")
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


@dataclass(slots=True)
class Transfer:
    """The download of one file."""

    download: Download
    url: str
    place: Path
    recall: Recall
    progress: Progress
    retry: RetryPolicy
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def part(self) -> Path:
        """The file with the bytes that were downloaded so far."""
        return self.place / f"{self.download.filename}.part"

    @property
    def version(self) -> Path:
        """The file with the server's name for the version of the part."""
        return self.place / f"{self.download.filename}.version"

    def run(self) -> Path:
        """Return the complete file with the right digest.

        Raises:
            FetchError: the file cannot be downloaded or has another digest.
            WorkspaceError: the file cannot be written.
        """
        check_address(self.url)
        target = self.place / self.download.filename
        if target.exists():
            return target
        try:
            self.place.mkdir(parents=True, exist_ok=True)
            wrong = self._complete()
            if wrong is not None:  # its beginning may be of another version
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
        """Download until the part is complete, and return what is wrong with it."""
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
                hint="run again later; the download continues where it stopped",
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
            check_address(url)
        raise FetchError(
            f"{self.url} redirects more than {_MOST_REDIRECTS} times",
            hint="ask the publisher, or report it to the authors of the plugin",
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
            # Every block is written at once, so an interruption loses nothing.
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
            raise _NotWhole(f"the server sent {done} bytes and announced {total}")

    def _total(self, response: urllib3.BaseHTTPResponse, offset: int) -> int | None:
        """Return the size of the whole file, after a check of the answer."""
        status = response.status
        if status in _RETRIED:
            raise _NotWhole(f"the server answers {status}", wait_s=_retry_after(response))
        if status == 416:
            length = response.headers.get("Content-Range", "").rpartition("/")[2]
            if length == str(offset):
                return None
            self._forget()
            raise _NotWhole("the server has another version of the file")
        if status == 206:
            span, _, length = response.headers.get("Content-Range", "").partition("/")
            if span.removeprefix("bytes ").partition("-")[0] != str(offset):
                self._forget()
                raise _NotWhole("the server sent another part than requested")
            return int(length) if length.isdigit() else None
        if status != 200:
            raise FetchError(
                f"{self.url} cannot be downloaded: the server answers {status}",
                hint="look up the new address on the corpus's home page and use --from URL",
            )
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else self.download.size

    def _wrong_digest(self) -> FetchError | None:
        """Return what is wrong with a complete part, or None."""
        with self.part.open("rb") as file:
            start = file.read(512).lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html")):
            return FetchError(
                f"{self.url} sends a web page in place of {self.download.filename}",
                hint="download the file in a browser, or use another address: --from URL",
            )
        wanted = {"sha256": self.download.sha256, "md5": self.download.md5}
        if not any(wanted.values()):
            wanted["sha256"] = self.recall(self.download.filename)
            source = "the first download was"
        else:
            source = "its publisher states"
        for algorithm, expected in wanted.items():
            if expected is not None:
                found = file_digest(self.part, algorithm)
                if found != expected.lower():
                    return FetchError(
                        f"{self.url} has the {algorithm} {found}, and {source} {expected}",
                        hint="the file was removed; if the publisher replaced it on purpose, "
                        "run again with --new-version"
                        if source.startswith("the first")
                        else "the file was removed; run again, or ask the publisher",
                    )
        return None

    def _size(self) -> int:
        """Return the number of bytes from which the download can resume."""
        try:
            size, version = self.part.stat().st_size, self.version.read_text(encoding="ascii")
        except FileNotFoundError:
            size, version = 0, ""
        # Without the name of a version, only a published digest shows that parts fit together.
        if size and not (version or self.download.sha256 or self.download.md5):
            size = 0
        if not size:
            self._forget()
        return size

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)


def _interrupted() -> FetchError:
    return FetchError(
        "the download was interrupted", hint="run again: the download resumes where it stopped"
    )


def _version(response: urllib3.BaseHTTPResponse) -> str:
    """Return the server's name for this version of a file; empty if it has no strong one."""
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


def check_address(url: str) -> None:
    """Refuse an address that is not HTTPS, except on this machine.

    Raises:
        FetchError: it is not.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise FetchError(
        f"{url} is not an https address, and only https is used",
        hint="download the file yourself, or report it to the authors of the plugin",
    )
