"""Download the corpora that their publishers offer to the public.

Only files of a card, or of addresses that the user gives, are downloaded. A digest that the
publisher states must match. Without one, the digest of the first download that contained the corpus
is recorded in the workspace, and later downloads must match it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from urllib.parse import unquote
from urllib.parse import urlsplit

from sercore.corpora.archives import extract
from sercore.corpora.files import CorpusFiles
from sercore.corpora.interface import Download
from sercore.corpora.locate import find_corpus
from sercore.corpora.transfer import MOST_CONNECTIONS
from sercore.corpora.transfer import Progress
from sercore.corpora.transfer import RetryPolicy
from sercore.corpora.transfer import Transfer
from sercore.corpora.transfer import check_address
from sercore.corpora.transfer import file_digest
from sercore.corpora.transfer import no_progress
from sercore.corpora.transfer import read_json
from sercore.errors import CorpusError
from sercore.errors import FetchError
from sercore.errors import NotOfferedError
from sercore.errors import SettingsError
from sercore.errors import WorkspaceError
from sercore.storage.workspace import Workspace

if TYPE_CHECKING:
    from sercore.corpora.interface import Corpus
    from sercore.corpora.interface import CorpusCard

_BLOCK = 2**20
# Licences without a condition on who downloads or what for.
_UNCONDITIONAL = re.compile(
    r"(CC0|CC[ -]BY(?![ -]?(NC|ND))|MIT|Apache|public domain)\b", re.IGNORECASE
)


def fetch(
    card: CorpusCard,
    data: Path,
    workspace: Workspace,
    *,
    corpus: Corpus | None = None,
    addresses: Iterable[str] = (),
    accept_licence: bool = False,
    new_version: bool = False,
    progress: Progress = no_progress,
    retry: RetryPolicy | None = None,
) -> Path:
    """Download a corpus into a data folder.

    Args:
        card: the card of the corpus.
        data: the folder that holds corpora.
        workspace: keeps accepted licences, recorded digests and unfinished downloads; must be on
            this machine.
        corpus: the corpus; without it the download is not searched for utterances.
        addresses: of files, in place of or in addition to those of the card; remembered.
        accept_licence: the user accepts the licence; remembered.
        new_version: forget the recorded digests, because the publisher has a new version.
        progress: called with the progress of every file.
        retry: how long to wait for servers.

    Returns:
        The folder of the corpus.

    Raises:
        CorpusError: the corpus is not offered, or the download does not contain it.
        SettingsError: the licence is not accepted, or an address is missing or unknown.
        FetchError: a file cannot be downloaded or differs from what its publisher states.
        WorkspaceError: a file cannot be written.
    """
    folder = f"downloads/{card.id}"
    if (present := find_corpus(card, data, corpus)) is not None:
        _clean_up(folder, data, workspace)
        return present
    record, retry = _Record(workspace, card.id), retry or RetryPolicy()
    sources, missing = _sources(card, tuple(addresses), record)
    _require_consent(card, missing, record, accept_licence=accept_licence)
    _require_local(workspace)
    if new_version:
        record.forget_digests()
    listed = [file for source in sources for file in _listed(source, retry)]
    with workspace.claim(folder, f"the download of {card.title}"):
        place = Path(workspace.path(folder))
        archives = _download_all(listed, place, record, progress, retry)
        _install(card, corpus, data, listed, archives, record)
        workspace.remove(folder)
    return data / card.folders[0]


def _require_local(workspace: Workspace) -> None:
    if not workspace.is_local:
        raise WorkspaceError(
            f"{workspace.root} is not on this machine, so nothing can be downloaded there",
            hint="choose a --workspace on this machine",
        )


def _install(
    card: CorpusCard,
    corpus: Corpus | None,
    data: Path,
    sources: Sequence[_Source],
    archives: Sequence[Path],
    record: _Record,
) -> None:
    """Unpack what was downloaded into the data folder, if it contains the corpus.

    Raises:
        CorpusError: it does not, or an archive is damaged; the files are removed then, so that the
            next call does not use them.
    """
    try:
        with Workspace(data).new_folder(card.folders[0]) as filling:
            _fill(card, sources, archives, filling)
            _require_corpus(corpus, card, filling)
            _remember(sources, archives, record)
    except CorpusError:
        for archive in archives:
            archive.unlink()
        raise


def how_to_obtain(card: CorpusCard) -> str:
    """Return how to get a corpus and where to put it, in a few sentences."""
    parts = [card.obtain.rstrip()]
    if card.homepage:
        parts.append(f"Home page: {card.homepage}.")
    parts.append(f"Put it into the data folder as '{card.folders[0]}'.")
    return " ".join(parts)


def needs_consent(card: CorpusCard) -> bool:
    """Return whether a licence has conditions that the user must accept, or is unknown."""
    return _UNCONDITIONAL.match(card.licence or "") is None


def is_offered(card: CorpusCard) -> bool:
    """Return whether every file of a corpus can be downloaded without more information."""
    return bool(card.downloads) and all(one.url or one.listing for one in card.downloads)


def _require_consent(
    card: CorpusCard, missing: Sequence[str], record: _Record, *, accept_licence: bool
) -> None:
    """Ask for everything that only the user can give, in one message."""
    wanted, flags = [], []
    if needs_consent(card) and not record.accepts(card.licence):
        if accept_licence:
            record.accept(card.licence)
        else:
            wanted.append(f"you must accept its licence: {card.licence or 'none is stated'}")
            flags.append("--accept-licence")
    if missing:
        wanted.append(f"the address of {' and '.join(missing)} is unknown")
        flags.append(" ".join(["--from URL"] * len(missing)))
    if wanted:
        raise SettingsError(
            f"{card.title} can be downloaded, but {', and '.join(wanted)} ({card.homepage})",
            hint=f"read the home page, then run: sercore fetch {card.id} {' '.join(flags)}",
        )


def _require_corpus(corpus: Corpus | None, card: CorpusCard, folder: Path) -> None:
    """Raise if a download does not contain its corpus."""
    if corpus is None or corpus.scan(CorpusFiles(folder), "corrected").utterances:
        return
    raise CorpusError(
        f"the downloaded files contain no utterance of {card.title}",
        hint="nothing was kept; check the address, or get the corpus from its home page",
    )


def _clean_up(folder: str, data: Path, workspace: Workspace) -> None:
    """Remove what a process left that was killed after it unpacked a corpus."""
    Workspace(data).sweep()
    workspace.sweep()
    if workspace.is_local and workspace.exists(folder):
        with workspace.try_lease(folder) as lease:
            if lease is not None:
                workspace.remove(folder)


class _Record:
    """The stored facts about the downloads of one corpus."""

    def __init__(self, workspace: Workspace, corpus: str) -> None:
        self._workspace = workspace
        self._path = f"fetched/{corpus}.json"
        self._content: dict[str, Any] = {"digests": {}, "addresses": {}}
        if workspace.exists(self._path):
            self._content.update(workspace.read_json(self._path))

    def accepts(self, licence: str | None) -> bool:
        return "licence" in self._content and self._content["licence"] == licence

    def accept(self, licence: str | None) -> None:
        self._content["licence"] = licence
        self._workspace.write_json(self._path, self._content)

    def digest(self, filename: str) -> str | None:
        """Return the SHA-256 of the first download of a file."""
        found: str | None = self._content["digests"].get(filename)
        return found

    def addresses(self) -> dict[str, str]:
        """Return the addresses that the user gave, by file name."""
        return dict(self._content["addresses"])

    def remember(self, kind: str, key: str, value: str) -> None:
        self._content[kind][key] = value
        self._workspace.write_json(self._path, self._content)

    def forget_digests(self) -> None:
        self._content["digests"] = {}
        self._workspace.write_json(self._path, self._content)


@dataclass(frozen=True, slots=True)
class _Source:
    """A file and its address."""

    download: Download
    url: str | None
    """None: the publisher's listing has it."""
    is_given: bool = False
    """Whether the user gave the address."""


def _sources(
    card: CorpusCard, addresses: Sequence[str], record: _Record
) -> tuple[list[_Source], list[str]]:
    """Return the sources of a corpus, and the names of files without an address.

    An address belongs to the file of its name. A single address belongs to a single file.
    """
    for address in addresses:
        check_address(address)
    given = {posixpath.basename(unquote(urlsplit(address).path)): address for address in addresses}
    downloads = list(card.downloads)
    if not downloads:
        names = given or record.addresses()
        if not names:
            raise NotOfferedError(
                f"{card.title} is not offered for download", hint=how_to_obtain(card)
            )
        downloads = [Download(filename=name) for name in names]
    open_names = [one.filename for one in downloads if not (one.url or one.listing)]
    if len(addresses) == 1 and 1 in (len(downloads), len(open_names)):
        given = {(open_names if len(open_names) == 1 else [downloads[0].filename])[0]: addresses[0]}
    known = {one.filename for one in downloads}
    for name, address in given.items():
        if name not in known:
            raise SettingsError(
                f"{address} is not a file of {card.title}",
                hint=f"its files are {', '.join(sorted(known))}",
            )
    given = record.addresses() | given
    sources = [
        _Source(one, given.get(one.filename, one.url), one.filename in given) for one in downloads
    ]
    missing = [one.download.filename for one in sources if not (one.url or one.download.listing)]
    return sources, missing


def _listed(source: _Source, retry: RetryPolicy) -> Iterator[_Source]:
    """Yield the files of a source, with size and digest from the publisher's listing if it has one.

    Raises:
        FetchError: the listing cannot be read, or does not have the file.
    """
    download = source.download
    if source.is_given or download.listing is None:
        yield source
        return
    found = False
    for entry in _listing_entries(read_json(download.listing, retry)):
        if fnmatch(entry.filename, download.filename):
            found = True
            named = replace(entry, unpack=download.unpack)
            yield _Source(named, source.url or entry.url)
    if not found:
        raise FetchError(
            f"the publisher's list of files, {download.listing}, has no file {download.filename}",
            hint="get the files from the home page, or give their addresses: --from URL",
        )


def _listing_entries(value: Any) -> Iterator[Download]:
    """Yield the files in a listing of Zenodo (``key``) or Mendeley Data (``filename``)."""
    if isinstance(value, list):
        for item in value:
            yield from _listing_entries(item)
    elif isinstance(value, dict):
        name = value.get("key") or value.get("filename")
        details = value.get("content_details") or {}
        links = value.get("links") or {}
        url = details.get("download_url") or links.get("content") or links.get("self")
        if isinstance(name, str) and isinstance(url, str) and "size" in value:
            algorithm, _, digest = str(value.get("checksum") or "").partition(":")
            yield Download(
                filename=posixpath.basename(name),
                url=url,
                size=value["size"],
                md5=digest if algorithm == "md5" else None,
                sha256=details.get("sha256_hash"),
            )
            return
        for item in value.values():
            yield from _listing_entries(item)


def _download_all(
    sources: Sequence[_Source],
    place: Path,
    record: _Record,
    progress: Progress,
    retry: RetryPolicy,
) -> list[Path]:
    transfers = [
        Transfer(source.download, source.url or "", place, record.digest, progress, retry)
        for source in sources
    ]
    with ThreadPoolExecutor(MOST_CONNECTIONS) as pool:
        try:
            return list(pool.map(Transfer.run, transfers))
        except BaseException:
            for transfer in transfers:
                transfer.stopped.set()
            raise


def _remember(sources: Iterable[_Source], archives: Iterable[Path], record: _Record) -> None:
    """Record digests and addresses that the card does not have."""
    for source, archive in zip(sources, archives, strict=True):
        download = source.download
        if download.is_stable and not (download.sha256 or download.md5):
            record.remember("digests", download.filename, file_digest(archive, "sha256"))
        if source.is_given and source.url is not None:
            record.remember("addresses", download.filename, source.url)


def _fill(
    card: CorpusCard, sources: Sequence[_Source], archives: Sequence[Path], folder: Path
) -> None:
    for source, archive in zip(sources, archives, strict=True):
        if source.download.unpack:
            extract(archive, folder, skip=card.unread)
        else:
            target = folder / source.download.filename
            with archive.open("rb") as content, target.open("wb") as copy:
                while block := content.read(_BLOCK):
                    copy.write(block)
    children = list(folder.iterdir())
    if len(children) == 1 and children[0].is_dir():  # most archives contain one folder
        inner = children[0].rename(folder / f"{folder.name}.inner")
        for child in list(inner.iterdir()):
            child.rename(folder / child.name)
        inner.rmdir()
