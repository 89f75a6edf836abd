"""The report as one HTML page that loads nothing: layout by Jinja, figures by matplotlib."""

from __future__ import annotations

import json
from dataclasses import asdict
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING
from typing import Any

from jinja2 import Environment
from jinja2 import StrictUndefined
from markupsafe import Markup

from sercore.__about__ import __version__
from sercore.reports.cells import CellIndex
from sercore.reports.colours import GAMMA
from sercore.reports.colours import N_LEVELS
from sercore.reports.colours import SERIES
from sercore.reports.colours import heat_colours
from sercore.reports.content import published_note
from sercore.reports.drawing import inline_svg
from sercore.reports.figures import by_corpus
from sercore.reports.figures import overview
from sercore.reports.figures import ranks
from sercore.reports.heat import class_table
from sercore.reports.heat import corpus_table
from sercore.reports.heat import in_domain_table
from sercore.reports.heat import matrix_tables
from sercore.reports.leaderboard import leaderboard
from sercore.reports.recovery import recovery_tables
from sercore.reports.run_facts import run_facts
from sercore.reports.tables import leak_board
from sercore.reports.verdict_tables import verdict_tables
from sercore.results.text import MISSING
from sercore.results.text import date_text
from sercore.results.text import plural
from sercore.statistics.intervals import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sercore.reports.drawing import Drawing
    from sercore.reports.heat import HeatTable
    from sercore.reports.leaderboard import Board
    from sercore.reports.tables import PlainTable
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Content

_INTERVAL = f"{LEVEL:.0%}".replace("%", " %")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFigure:
    """A figure with its caption, and the same numbers as a table."""

    title: str
    svg: Markup
    caption: str
    table: HeatTable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMatrix:
    """The heat maps of one backbone."""

    id: str
    title: str
    tables: tuple[HeatTable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSection:
    """The section of the page about one group of backbones."""

    id: str
    short: str
    """Its name in the navigation."""
    title: str
    refusal: str | None
    board: Board
    figures: tuple[PageFigure, ...]
    matrices: tuple[PageMatrix, ...]
    inside: HeatTable | None
    classes: HeatTable | None
    tests: tuple[PlainTable, ...]


def html_page(content: Content) -> str:
    """Return the page of a report."""
    template = files("sercore.reports") / "templates"
    environment = Environment(
        autoescape=True,
        trim_blocks=False,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    sheet = environment.from_string((template / "report.css").read_text(encoding="utf-8"))
    page = environment.from_string((template / "report.html").read_text(encoding="utf-8"))
    style = sheet.render(
        series=SERIES, light=heat_colours(dark=False), dark=heat_colours(dark=True)
    )
    index = CellIndex()
    sections = [_section(group, content, index) for group in content.groups]
    # Style and script are the program's own texts; the template escapes what comes from a run.
    return page.render(
        content=content,
        subtitle=_subtitle(content),
        pages=sections,
        leaks=[leak_board(table) for table in content.leaks],
        records=[run_facts(run) for run in content.runs],
        version=__version__,
        levels=N_LEVELS,
        missing=MISSING,
        css=Markup(style),  # noqa: S704
        js=Markup((template / "report.js").read_text(encoding="utf-8")),  # noqa: S704
        data=_script_json(_data(index)),
    )


def _section(group: ComparisonGroup, content: Content, index: CellIndex) -> PageSection:
    several = len(content.runs) > 1
    short = (
        f"{group.run}:" if several else "",
        group.setting.protocol,
        group.setting.class_rule or "",
        *group.details,
        "(demo)" if group.setting.demo else "",
    )
    return PageSection(
        id=group.id,
        short=" ".join(part for part in short if part),
        title=f"{group.run}: {group.title}" if several else group.title,
        refusal=group.refusal,
        board=leaderboard(group),
        figures=tuple(_figures(group)),
        matrices=tuple(
            PageMatrix(
                id=f"{group.id}/{place}",
                title=result.title,
                tables=tuple(matrix_tables(group, result, index)),
            )
            for place, result in enumerate(group.backbones)
        ),
        inside=in_domain_table(group, index),
        classes=class_table(group),
        tests=(*verdict_tables(group), *recovery_tables(group)),
    )


def _figures(group: ComparisonGroup) -> Iterator[PageFigure]:
    lines = (
        f"Lines are {_INTERVAL} intervals over speakers and seeds, corrected for the bias of "
        "averages of finite test sets"
    )
    caption = f"{lines}; the dashed line is the best blind guess."
    if group.has_published:
        caption += f" Open diamonds are the numbers of the paper. {published_note(group)}"
    yield _figure(overview(group), caption)
    if group.has_out_of_domain:
        mean = "Mean over the other corpora, of probes"
        caption = f"{mean} trained on the corpus. {lines}."
        yield _figure(by_corpus(group, "rows"), caption, corpus_table(group, "rows"))
        caption = f"{mean} tested on the corpus. {lines}."
        yield _figure(by_corpus(group, "columns"), caption, corpus_table(group, "columns"))
    for verdicts in group.verdicts:
        if verdicts.ranks is not None:
            yield _figure(
                ranks(group, verdicts.ranks, verdicts.average),
                f"Mean rank of the backbones over corpora; lines are {_INTERVAL} intervals over "
                "resampled corpora, which share their test corpora.",
            )


def _figure(drawing: Drawing, caption: str, table: HeatTable | None = None) -> PageFigure:
    return PageFigure(
        title=drawing.title,
        svg=Markup(inline_svg(drawing)),  # noqa: S704 - its texts are escaped where it is made
        caption=caption,
        table=table,
    )


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


def _data(index: CellIndex) -> dict[str, Any]:
    """Return what the script of the page reads."""
    cells = {name: asdict(details) for name, details in index.cells.items()}
    return {"cells": cells, "gamma": GAMMA, "levels": N_LEVELS, "missing": MISSING}


def _script_json(value: object) -> Markup:
    """Return JSON that cannot end the script element that contains it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704 - escaped above
