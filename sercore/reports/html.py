"""The report as one HTML page that loads nothing.

Jinja lays out what is the same in every view, and a table of the first view for readers without
scripts. The script draws the views from the data in the page (`sercore.reports.page_data`).
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import TYPE_CHECKING
from typing import Any

from jinja2 import Environment
from jinja2 import StrictUndefined
from markupsafe import Markup

from sercore.__about__ import __version__
from sercore.reports.answer import answers_of
from sercore.reports.page_data import page_data
from sercore.reports.page_parts import library
from sercore.reports.page_parts import script
from sercore.reports.page_parts import style_sheet
from sercore.reports.page_parts import text
from sercore.reports.run_facts import run_facts
from sercore.reports.tables import leak_board
from sercore.results.text import date_text
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import range_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Content
    from sercore.statistics.intervals import Interval

_MOST_NOTICES = 2
"""The others are folded under their titles, so that the answer stays on the first screen."""

_LIBRARIES = ("preact.min.js", "htm.js")
_SCRIPTS = (
    "common.js",
    "data.js",
    "colours.js",
    "downloads.js",
    "tables.js",
    "board.js",
    "cell.js",
    "page.js",
)
"""In this order: each uses names of those before it."""


def html_page(content: Content) -> str:
    """Return the page of a report."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    shown = [notice for notice in content.notices if notice.kind != "note"][:_MOST_NOTICES]
    # Style and script are the program's own texts; the template escapes what comes from a run.
    return environment.from_string(text("templates", "report.html")).render(
        content=content,
        subtitle=_subtitle(content),
        shown=shown,
        folded=[notice for notice in content.notices if notice not in shown],
        groups=[(group, answers_of(group), list(_lines(group))) for group in content.groups],
        leaks=[leak_board(table) for table in content.leaks],
        records=[run_facts(run) for run in content.runs],
        version=__version__,
        css=Markup(style_sheet()),  # noqa: S704
        js=Markup(_script()),  # noqa: S704
        data=packed(page_data(content)),
    )


def packed(data: dict[str, Any]) -> str:
    """Return data as compressed JSON in base64, which no text of a run can end or leave."""
    letters = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(letters.encode(), 9)).decode()


def unpacked(page: str) -> dict[str, Any]:
    """Return the data of a page."""
    found = re.search(r'<script type="text/plain" id="data">([^<]*)</script>', page)
    if found is None:
        raise ValueError("the page has no data")
    data: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(found[1])))
    return data


def _script() -> str:
    """Return the libraries and the script of the page, as one text."""
    return "\n".join([*map(library, _LIBRARIES), script(*_SCRIPTS)])


def _lines(group: ComparisonGroup) -> Iterator[tuple[str, ...]]:
    """Yield backbone and averages with their intervals, for readers without scripts."""
    for result in group.backbones:
        around, outside = result.intervals, result.out_of_domain
        yield (
            result.title,
            _with_interval(result.reductions.weighted, around.weighted),
            _with_interval(outside.mean if outside else None, around.out_of_domain),
            _with_interval(result.reductions.in_domain.mean, around.in_domain),
        )


def _with_interval(value: float | None, interval: Interval | None) -> str:
    shown = number(value)
    return shown if interval is None else f"{shown} [{range_text(interval)}]"


def _subtitle(content: Content) -> str:
    results = [result for group in content.groups for result in group.backbones]
    corpora = {name for result in results for pair in result.cells for name in pair}
    written = [
        date_text(run.record["written"]) for run in content.runs if run.record.get("written")
    ]
    parts = [
        plural(len({result.backbone for result in results}), "backbone"),
        plural(len(corpora), "corpus"),
        plural(sum(len(result.cells) for result in results), "cell"),
        ", ".join(written),
    ]
    return " · ".join(part for part in parts if part)
