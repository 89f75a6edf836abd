"""Everything that the script of the page shows, as JSON.

The script selects and draws. Numbers, verdicts and sentences come from here, computed by the
functions of the other formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING
from typing import Any

from sercore.evaluation.metrics import METRICS
from sercore.evaluation.protocols import Adjustment
from sercore.reports.answer import answers_of
from sercore.reports.bibtex import bibtex_entries
from sercore.reports.cells import COUNTS
from sercore.reports.content import published_note
from sercore.reports.numbers import DIGITS
from sercore.reports.numbers import PageNames
from sercore.reports.numbers import quantised
from sercore.reports.page_rows import PageRows
from sercore.reports.page_rows import ends_of
from sercore.reports.paired_cells import paired_cells
from sercore.reports.recovery import recovery_tables
from sercore.reports.verdict_tables import verdict_tables
from sercore.results.record import corpora_of
from sercore.results.text import MISSING
from sercore.statistics.paired import MIN_SEEDS
from sercore.statistics.sentences import on_other_corpora
from sercore.statistics.sentences import on_these_corpora

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sercore.reports.tables import PlainTable
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Content
    from sercore.results.shortcuts import Shortcut

MOST_CELLS = 3000
"""A report of more cells has no switches for adjustment, metric and scale: the page would be
too large to open at once."""

MOST_COMPARED = 12
"""Among more backbones, differences cell by cell have no intervals."""

_METRIC_TITLES = {
    "macro-f1": "macro-F1",
    "uar": "UAR",
    "weighted-f1": "weighted F1",
    "expected-calibration-error": "ECE (calibration error)",
    "negative-log-likelihood": "NLL (negative log-likelihood)",
}

_ADJUSTMENT_TITLES: Mapping[str, str] = {
    Adjustment.UNIFORM: "uniform: no knowledge of the test corpus",
    Adjustment.EM: "em: frequencies estimated without labels",
    Adjustment.BBSE: "bbse: frequencies estimated without labels",
    Adjustment.ORACLE: "oracle: knows the test frequencies",
    Adjustment.NONE: "none: as the scores in domain",
    Adjustment.PUBLISHED: "published: as in the paper",
}
"""Scores in domain are never adjusted. Only under ``none`` is an average over both matched."""


def page_data(content: Content) -> dict[str, Any]:
    """Return what the script of the page reads."""
    return _PageData(content).data()


class _PageData:
    """Collects views, and the names that they share.

    Args:
        content: the report.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._names = PageNames()
        self._rows = PageRows(self._names)
        self._several_runs = len(content.runs) > 1

    def data(self) -> dict[str, Any]:
        """Return all views with their names, the views of the report's own setting first."""
        n_cells = sum(
            len(result.cells) for group in self._content.groups for result in group.backbones
        )
        whole = n_cells <= MOST_CELLS
        own = self._content.groups
        views = [self._view(group, is_own=True) for group in own]
        if whole:
            views += [self._view(group, is_own=False) for group in self._content.switched()]
        return {
            "title": self._content.title,
            "digits": DIGITS,
            "missing": MISSING,
            "whole": whole,
            "views": views,
            "corpora": [self._corpus(name) for name in self._names.corpora.listed()],
            "classes": self._names.classes.listed(),
            "texts": self._names.texts.listed(),
            "metrics": [
                {
                    "id": metric.id,
                    "title": _METRIC_TITLES.get(metric.id, metric.id),
                    "summary": metric.summary,
                    "lower": metric.higher_is_better is False,
                }
                for metric in METRICS
            ],
            "adjustments": _ADJUSTMENT_TITLES,
            "counts": list(COUNTS.values()),
            "bibtex": bibtex_entries(self._content),
        }

    @cached_property
    def _records(self) -> Mapping[str, Any]:
        return {
            name: corpus
            for run in self._content.runs
            for name, corpus in corpora_of(run.record).items()
        }

    def _corpus(self, name: str) -> dict[str, Any]:
        known = self._records.get(name)
        if known is None:
            return {"id": name, "title": name}
        return {
            "id": name,
            "title": known.title,
            "language": known.language,
            "speech": known.speech,
            "utterances": known.utterances,
            "manifest": (known.manifest or "")[:12],
        }

    def _view(self, group: ComparisonGroup, *, is_own: bool) -> dict[str, Any]:
        setting = group.setting
        measured = setting.metric in {own.setting.metric for own in self._content.groups}
        scores = measured and group.scale == "score"
        view: dict[str, Any] = {
            "source": self._source(group),
            "set": setting.corpora,
            "rule": setting.class_rule,
            "probe": _probe(group),
            "adjustment": setting.adjustment,
            "metric": setting.metric,
            "scale": group.scale,
            "own": is_own,
            "title": group.title,
            "run": group.run,
            "refusal": group.refusal,
            "paper": published_note(group) if group.has_published else "",
            "answers": [answer._asdict() for answer in answers_of(group, measured=measured)],
            "inside": [self._names.corpora.place(name) for name in group.in_domain_corpora],
            "clusters": [
                [self._names.corpora.place(name) for name in corpora] for corpora in group.clusters
            ],
            "chance": [
                quantised(level.best_blind_guess) if level else None
                for level in (group.chance.in_domain, group.chance.out_of_domain)
            ],
            "tests": [self._table(table) for table in verdict_tables(group)],
            "recovery": [self._table(table) for table in recovery_tables(group)],
            "verdicts": self._verdicts(group),
            "shortcuts": [self._shortcut(shortcut) for shortcut in group.shortcuts],
            "human": [
                [self._names.corpora.place(name), quantised(share)]
                for name, share in group.human_accuracy.items()
            ],
        }
        view["rows"] = [
            self._rows.row(group, result, details=scores, own=is_own and group.scale == "score")
            for result in group.backbones
        ]
        if scores:
            view["paired"] = self._paired(group.backbones)
        return view

    def _shortcut(self, shortcut: Shortcut) -> dict[str, Any]:
        """Return what is scored in domain without sound."""
        return {
            "title": f"without sound: {shortcut.title}",
            "mean": [quantised(shortcut.mean), *ends_of(shortcut.interval)],
            "cells": [
                [self._names.corpora.place(name), quantised(one.cell.value), *ends_of(one.interval)]
                for name, one in shortcut.cells.items()
            ],
        }

    def _source(self, group: ComparisonGroup) -> str:
        """Return what tells a view apart besides the choices that have a switch of their own."""
        others = (detail for detail in group.details if not detail.startswith("probe"))
        parts = (
            group.run if self._several_runs else "",
            group.setting.protocol,
            *others,
            "demo data" if group.setting.demo else "",
        )
        return " · ".join(part for part in parts if part)

    def _table(self, table: PlainTable) -> dict[str, Any]:
        return {
            "title": table.title,
            "text": table.text,
            "columns": list(table.columns),
            "lines": [[cell.text for cell in line] for line in table.lines],
            "noun": table.noun,
            "sentences": [self._names.texts.place(sentence) for sentence in table.sentences],
        }

    def _verdicts(self, group: ComparisonGroup) -> list[list[Any]]:
        """Return average, two places of backbones and a sentence for each verdict about a pair."""
        places = {result.title: place for place, result in enumerate(group.backbones)}
        found: list[tuple[str, str, str, str]] = []
        for verdicts in group.verdicts:
            other, name = verdicts.other_corpora, verdicts.average
            if other is not None:
                found += [
                    (name, pair.first, pair.second, on_other_corpora(other, pair))
                    for pair in other.pairs
                ]
            found += [
                (
                    name,
                    pair.first,
                    pair.second,
                    on_these_corpora(pair, n_cells=verdicts.n_cells, rope=verdicts.rope),
                )
                for pair in verdicts.these_corpora
            ]
        return [
            [name, places[first], places[second], self._names.texts.place(sentence)]
            for name, first, second, sentence in found
        ]

    def _paired(self, results: Sequence[BackboneResult]) -> dict[str, Any]:
        """Return the ends of the intervals of second minus first, cell by cell of the first."""
        if len(results) > MOST_COMPARED:
            return {}
        found = {}
        for (one, first), (other, second) in combinations(enumerate(results), 2):
            intervals = paired_cells(first, second)
            if intervals:
                ends = [ends_of(intervals.get(pair)) for pair in first.cells]
                found[f"{one}-{other}"] = [[low for low, _ in ends], [high for _, high in ends]]
        seeds = [len(one.seeds) for result in results for one in result.estimates.values()]
        return {"pairs": found, "decided": min(seeds, default=0) >= MIN_SEEDS}


def _probe(group: ComparisonGroup) -> str | None:
    settings = [part for part in group.details if part.startswith("probe settings")]
    return " · ".join(part for part in (group.setting.probe, *settings) if part) or None
