"""The page of a leaderboard: one HTML file that loads nothing but links to the data beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment
from jinja2 import StrictUndefined
from markupsafe import Markup

from sercore.__about__ import __version__
from sercore.reports.site_data import provenance
from sercore.results.text import MISSING
from sercore.results.text import date_text
from sercore.results.text import interval_text
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import range_text

if TYPE_CHECKING:
    from sercore.reports.site_boards import RankedRow
    from sercore.reports.site_boards import SiteBoard
    from sercore.reports.site_rows import SiteEntry
    from sercore.statistics.intervals import Interval

UNNAMED = "group not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A value of a table, and its interval."""

    text: str
    sort: str
    """What the column is sorted by; empty if there is no value."""
    low_high: str
    tip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """A row of a table."""

    ranked: RankedRow
    name: str
    weights: str
    group: str
    in_domain: Number
    out_of_domain: Number
    weighted: Number
    written: str
    search: str
    """What the filter looks at."""


def site_page(entries: Sequence[SiteEntry], boards: Sequence[SiteBoard]) -> str:
    """Return the page."""
    folder = files("sercore.reports") / "templates"
    parts = {
        name: (folder / f"site.{name}").read_text(encoding="utf-8")
        for name in ("html", "css", "js")
    }
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    groups = {entry.group for entry in entries if entry.group}
    rows = {(entry.id, row) for entry in entries for row in _names(entry)}
    return environment.from_string(parts["html"]).render(
        boards=boards,
        rows_of=lambda block: [_page_row(ranked) for ranked in block.rows],
        entries=[(entry, provenance(entry)) for entry in entries],
        conflicts=sum(board.n_conflicts for board in boards),
        lead=" · ".join(
            (
                *([plural(len(groups), "group")] if groups else []),
                plural(len(entries), "run"),
                plural(len(rows), "backbone result"),
            )
        ),
        unnamed=UNNAMED,
        date_text=date_text,
        missing=MISSING,
        style=Markup(parts["css"]),  # noqa: S704 - files of this package
        script=Markup(parts["js"]),  # noqa: S704 - likewise
        version=__version__,
    )


def _names(entry: SiteEntry) -> list[str]:
    return [
        f"{group.id} {result.title}" for group in entry.content.groups for result in group.backbones
    ]


def _page_row(ranked: RankedRow) -> PageRow:
    row = ranked.row
    setting, outside = row.setting, row.reductions.out_of_domain
    group = row.entry.group or UNNAMED
    checkpoint = setting.checkpoint or setting.backbone
    weights = checkpoint + (f" @ {row.revision[:12]}" if row.revision else "")
    written = row.entry.run.record.get("written")
    return PageRow(
        ranked=ranked,
        name=row.title,
        weights=weights,
        group=group,
        in_domain=_number(row.reductions.in_domain.mean, row.intervals.in_domain),
        out_of_domain=_number(
            outside.average.mean if outside else None, row.intervals.out_of_domain
        ),
        weighted=_number(row.reductions.weighted, row.intervals.weighted),
        written=date_text(written)[:10] if written else MISSING,
        search=f"{row.title} {checkpoint} {group}".lower(),
    )


def _number(value: float | None, interval: Interval | None) -> Number:
    return Number(
        text=number(value),
        sort="" if value is None else f"{value:.9f}",
        low_high=range_text(interval) if interval else "",
        tip=interval_text(interval) if interval else "",
    )
