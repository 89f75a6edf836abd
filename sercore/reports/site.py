"""A static leaderboard over the results of several groups, ready for any web server."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import SettingsError
from sercore.reports.content import build_content
from sercore.reports.site_boards import boards_of
from sercore.reports.site_data import cells_parquet
from sercore.reports.site_data import rows_parquet
from sercore.reports.site_data import site_json
from sercore.reports.site_rows import SiteEntry
from sercore.reports.site_rows import manifests_of
from sercore.reports.write import require_libraries

if TYPE_CHECKING:
    from sercore.reports.site_boards import SiteBoard
    from sercore.results.stored_run import StoredRun
    from sercore.storage.workspace import Workspace

LISTING = "sercore-site.json"
"""Names the files of a site, so that a later build removes what it no longer has."""

_OURS = re.compile(r"index\.html|\.nojekyll|data/\w+\.(json|parquet)|runs/[a-z0-9-]+/report\.html")
"""The files that a build writes: no listing makes it remove another one."""


def site_entries(runs: Sequence[StoredRun]) -> tuple[SiteEntry, ...]:
    """Return the entries of a site. Their order and names do not depend on that of the runs.

    A bundle that is given twice is one entry.
    """
    unique = {(run.bundle.digest if run.bundle else run.name): run for run in runs}
    ordered = sorted(unique.items(), key=lambda item: (_slug(item[1]), item[0]))
    counts: dict[str, int] = {}
    entries = []
    for _, run in ordered:
        slug = _slug(run)
        counts[slug] = counts.get(slug, 0) + 1
        name = slug if counts[slug] == 1 else f"{slug}-{counts[slug]}"
        entries.append(
            SiteEntry(id=name, run=run, content=build_content([run]), manifests=manifests_of(run))
        )
    return tuple(entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltSite:
    """What was written."""

    page: str
    """Path of the page."""
    files: tuple[str, ...]
    """All files, relative to the folder of the site."""
    removed: tuple[str, ...]
    """Files of an earlier build that were removed."""
    entries: int
    rows: int
    conflicts: int
    """Rows whose scores another entry contradicts."""

    def summary(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def build_site(runs: Sequence[StoredRun], place: Workspace) -> BuiltSite:
    """Write a site.

    The same runs give the same bytes. Files of an earlier build that this one does not have are
    removed; files that sercore did not write stay.

    Args:
        runs: at least one.
        place: the folder of the site.

    Raises:
        SettingsError: the folder has a file that the site would replace and sercore did not
            write, or a library is missing.
        WorkspaceError: a file cannot be read or written.
    """
    require_libraries(("html",))
    before = _listed(place)
    entries = site_entries(runs)
    boards = boards_of(entries)
    files = dict(site_files(entries, boards))
    foreign = sorted(name for name in files if name not in before and place.exists(name))
    if foreign:
        raise SettingsError(
            f"{place.path(foreign[0])} was not written by 'sercore report --site'",
            hint="choose an empty folder, or remove the file",
        )
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    # Both lists first, so that a build that is cut short leaves no file that no list names.
    _list(place, {**before, **digests})
    for name in sorted(files, key=lambda name: (name == "index.html", name)):
        if not (place.exists(name) and place.digest(name) == digests[name]):
            place.write_bytes(name, files[name])
    for name in sorted(before.keys() - files.keys()):
        place.remove(name)
        folder = posixpath.dirname(name)
        if folder and not place.list(folder):
            place.remove(folder)
    _list(place, digests)
    return BuiltSite(
        page=place.path("index.html"),
        files=(*sorted(files), LISTING),
        removed=tuple(sorted(before.keys() - files.keys())),
        entries=len(entries),
        rows=sum(len(group.backbones) for entry in entries for group in entry.content.groups),
        conflicts=sum(board.n_conflicts for board in boards),
    )


def site_files(
    entries: Sequence[SiteEntry], boards: Sequence[SiteBoard]
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a site."""
    from sercore.reports.html import html_page
    from sercore.reports.site_page import site_page

    yield "index.html", site_page(entries, boards).encode()
    yield ".nojekyll", b""
    yield "data/leaderboard.json", site_json(entries, boards)
    yield "data/leaderboard.parquet", rows_parquet(boards)
    yield "data/cells.parquet", cells_parquet(entries)
    for entry in entries:
        yield f"runs/{entry.id}/report.html", html_page(entry.content).encode()


def _slug(run: StoredRun) -> str:
    text = f"{run.bundle.group} {run.bundle.run}" if run.bundle and run.bundle.group else run.name
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name or "run"


def _listed(place: Workspace) -> dict[str, str]:
    """Return the files of the earlier build of a site, with their digests."""
    if not place.exists(LISTING):
        return {}
    try:
        listing: Any = json.loads(place.read_bytes(LISTING))
        files = listing["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{place.path(LISTING)} cannot be read", hint="choose an empty folder for the site"
        ) from error
    if not isinstance(files, Mapping):
        raise SettingsError(
            f"{place.path(LISTING)} cannot be read", hint="choose an empty folder for the site"
        )
    return {name: str(digest) for name, digest in files.items() if _OURS.fullmatch(name)}


def _list(place: Workspace, files: Mapping[str, str]) -> None:
    text = json.dumps({"files": files}, indent=1, sort_keys=True) + "\n"
    place.write_bytes(LISTING, text.encode())
