"""The report as one HTML page that loads nothing: layout by Jinja, figures by matplotlib."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING
from typing import Any

from jinja2 import Environment
from jinja2 import StrictUndefined
from markupsafe import Markup

from sercore.__about__ import __version__
from sercore.evaluation.statistics import LEVEL
from sercore.evaluation.statistics import N_DRAWS
from sercore.reports.boards import leaderboard
from sercore.reports.boards import leak_board
from sercore.reports.boards import test_tables
from sercore.reports.cells import CellIndex
from sercore.reports.colours import GAMMA
from sercore.reports.colours import N_LEVELS
from sercore.reports.colours import SERIES
from sercore.reports.colours import heat_colours
from sercore.reports.content import published_note
from sercore.reports.figures import by_corpus
from sercore.reports.figures import inline_svg
from sercore.reports.figures import overview
from sercore.reports.figures import ranks
from sercore.reports.heat import class_table
from sercore.reports.heat import figure_table
from sercore.reports.heat import in_domain_table
from sercore.reports.heat import matrix_tables
from sercore.results.text import MISSING
from sercore.results.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sercore.reports.figures import Drawing
    from sercore.reports.views import Content
    from sercore.reports.views import Family
    from sercore.reports.views import RunContent


def html_page(content: Content) -> str:
    """Return the page of a report."""
    template = files("sercore.reports") / "templates"
    environment = Environment(
        autoescape=True,
        trim_blocks=False,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    index = CellIndex()
    pages = [_page(family, content, index) for family in content.families]
    context = {
        "content": content,
        "subtitle": _subtitle(content),
        "pages": pages,
        "leaks": [leak_board(table) for table in content.leaks],
        "records": [_record(run) for run in content.runs],
        "version": __version__,
        "levels": N_LEVELS,
        "missing": MISSING,
    }
    style = {
        "series": SERIES,
        "light": heat_colours(dark=False),
        "dark": heat_colours(dark=True),
    }
    sheet = environment.from_string((template / "report.css").read_text(encoding="utf-8"))
    page = environment.from_string((template / "report.html").read_text(encoding="utf-8"))
    # Both texts are the program's own; what comes from a run is escaped by the template.
    context["css"] = Markup(sheet.render(**style))  # noqa: S704
    context["js"] = Markup((template / "report.js").read_text(encoding="utf-8"))  # noqa: S704
    context["data"] = _script_json(
        {"cells": index.cells, "gamma": GAMMA, "levels": N_LEVELS, "missing": MISSING}
    )
    return page.render(**context)


def _page(family: Family, content: Content, index: CellIndex) -> dict[str, Any]:
    several = len(content.runs) > 1
    return {
        "id": family.id,
        "short": " ".join(
            part
            for part in (
                f"{family.run}:" if several else "",
                family.setting.protocol,
                family.setting.class_rule or "",
                "(demo)" if family.setting.demo else "",
            )
            if part
        ),
        "title": f"{family.run}: {family.title}" if several else family.title,
        "refusal": family.refusal,
        "board": leaderboard(family),
        "figures": list(_figures(family)),
        "matrices": [
            {
                "id": f"{family.id}/{place}",
                "title": row.title,
                "tables": matrix_tables(family, row, index),
            }
            for place, row in enumerate(family.rows)
        ],
        "inside": in_domain_table(family, index),
        "classes": class_table(family),
        "tests": test_tables(family),
    }


def _figures(family: Family) -> Iterator[dict[str, Any]]:
    level = f"{LEVEL:.0%}".replace("%", " %")
    whiskers = f"Lines are {level} intervals from {N_DRAWS} resampled test sets"
    paper = any(row.published is not None for row in family.rows)
    caption = f"{whiskers}; the dashed line is what random answers reach."
    if paper:
        caption += f" Open diamonds are the paper's numbers. {published_note(family)}"
    yield _figure(overview(family), caption)
    if any(row.reductions.out_of_domain for row in family.rows):
        for which, verb in (("rows", "trained on"), ("columns", "tested on")):
            yield _figure(
                by_corpus(family, which),
                f"Mean over the other corpora, of probes {verb} the corpus. {whiskers}.",
                figure_table(family, which),
            )
    for side, comparison in (
        ("in-domain", family.in_domain_comparison),
        ("out-of-domain", family.out_of_domain_comparison),
    ):
        if comparison is not None:
            yield _figure(
                ranks(family, comparison, side),
                f"Backbones ranked on each corpus, averaged; lines are {level} intervals over "
                "resampled corpora. Backbones whose lines overlap widely are not told apart.",
            )


def _figure(drawing: Drawing, caption: str, table: Any = None) -> dict[str, Any]:
    return {
        "title": drawing.title,
        "svg": Markup(inline_svg(drawing)),  # noqa: S704 - texts in it are escaped where it is made
        "caption": caption,
        "table": table,
    }


def _subtitle(content: Content) -> str:
    backbones = {row.backbone for family in content.families for row in family.rows}
    corpora = {
        name
        for family in content.families
        for row in family.rows
        for pair in row.cells
        for name in pair
    }
    cells = sum(len(row.cells) for family in content.families for row in family.rows)
    written = ", ".join(
        str(run.record["written"]) for run in content.runs if run.record.get("written")
    )
    parts = [
        plural(len(backbones), "backbone"),
        f"{len(corpora)} {'corpus' if len(corpora) == 1 else 'corpora'}",
        plural(cells, "cell"),
    ]
    return " · ".join([*parts, written] if written else parts)


def _record(run: RunContent) -> dict[str, Any]:
    record = run.record
    protocol = record.get("protocol") or {}
    settings = record.get("settings") or {}
    environment = record.get("environment") or {}
    facts = [
        ("status", record.get("status")),
        ("written", record.get("written")),
        ("protocol", protocol.get("id")),
        ("split", protocol.get("split")),
        ("folds", protocol.get("n_folds")),
        ("reading, label mapper", _joined(protocol.get("reading"), protocol.get("mapper"))),
        ("audio path", protocol.get("audio_path")),
        ("probe", settings.get("probe")),
        ("layer, dtype, device", _joined(*map(settings.get, ("layer", "dtype", "device")))),
        ("first seed, seeds", _joined(settings.get("seed"), settings.get("n_seeds"))),
        ("sercore", environment.get("sercore")),
        ("machine", environment.get("system")),
        ("libraries", _packages(environment)),
    ]
    corpora = [(name, card) for name, card in sorted((record.get("corpora") or {}).items())]
    lists = [
        ("Problems", run.problems),
        ("Notes", run.notes),
        (
            "Corpora",
            [
                f"{name}: {card.get('title')}, {card.get('utterances')} utterances, "
                f"licence {card.get('licence') or 'not stated'}, manifest "
                f"{str(card.get('manifest'))[:12]}"
                for name, card in corpora
            ],
        ),
        (
            "Backbones",
            [
                f"{name}: {card.get('checkpoint')}, revision {card.get('revision') or 'unknown'}"
                for name, card in sorted((record.get("backbones") or {}).items())
            ],
        ),
    ]
    return {
        "name": run.name,
        "facts": [(name, str(value)) for name, value in facts if value not in (None, "")],
        "lists": [(title, list(lines)) for title, lines in lists if lines],
    }


def _joined(*values: object) -> str:
    return ", ".join(str(value) for value in values if value is not None)


def _packages(environment: Any) -> str:
    packages = environment.get("packages") or {}
    return ", ".join(f"{name} {version}" for name, version in packages.items() if version)


def _script_json(value: object) -> Markup:
    """Return JSON that cannot end the script element that holds it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704 - escaped above
