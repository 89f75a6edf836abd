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
from sercore.reports.cells import confusion_of
from sercore.reports.cells import counts_of
from sercore.reports.cells import interval_note
from sercore.reports.cells import is_unsure
from sercore.reports.cells import keys_of
from sercore.reports.cells import repetitions_of
from sercore.reports.cells import speakers_of
from sercore.reports.content import published_note
from sercore.reports.numbers import DIGITS
from sercore.reports.numbers import Names
from sercore.reports.numbers import quantised
from sercore.reports.paired_cells import paired_cells
from sercore.reports.recovery import recovery_tables
from sercore.reports.verdict_tables import verdict_tables
from sercore.results.record import corpora_of
from sercore.results.speakers import SpeakerScores
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
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting
    from sercore.results.reductions import Average
    from sercore.results.shortcuts import Shortcut
    from sercore.statistics.intervals import Interval

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
        self._corpora = Names()
        self._classes = Names()
        self._texts = Names()
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
            "corpora": [self._corpus(name) for name in self._corpora.listed()],
            "classes": self._classes.listed(),
            "texts": self._texts.listed(),
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
            "inside": [self._corpora.place(name) for name in group.in_domain_corpora],
            "clusters": [
                [self._corpora.place(name) for name in corpora] for corpora in group.clusters
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
                [self._corpora.place(name), quantised(share)]
                for name, share in group.human_accuracy.items()
            ],
        }
        view["rows"] = [
            self._row(group, result, details=scores, own=is_own and group.scale == "score")
            for result in group.backbones
        ]
        if scores:
            view["paired"] = self._paired(group.backbones)
        return view

    def _shortcut(self, shortcut: Shortcut) -> dict[str, Any]:
        """Return what is scored in domain without sound."""
        return {
            "title": f"without sound: {shortcut.title}",
            "mean": [quantised(shortcut.mean), *_ends(shortcut.interval)],
            "cells": [
                [self._corpora.place(name), quantised(one.cell.value), *_ends(one.interval)]
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

    def _row(
        self, group: ComparisonGroup, result: BackboneResult, *, details: bool, own: bool
    ) -> dict[str, Any]:
        setting, reductions, around = result.matrix.setting, result.reductions, result.intervals
        outside = result.out_of_domain
        weighted = [quantised(reductions.weighted), *_ends(around.weighted)]
        row: dict[str, Any] = {
            "title": result.title,
            "name": setting.backbone,
            "layer": setting.layer,
            "complete": reductions.complete,
            "averages": {
                "in-domain": _average(reductions.in_domain, around.in_domain),
                "out-of-domain": _average(outside, around.out_of_domain),
                "weighted": weighted if reductions.weighted is not None else None,
                "matched": _matched(result),
            },
            "cellCoverage": reductions.out_of_domain.coverage if reductions.out_of_domain else None,
            "missing": list(reductions.in_domain.missing),
            "letters": _letters(group, result),
            "trained": self._by_corpus(group, result, by_train=True),
            "tested": self._by_corpus(group, result, by_train=False),
            "gone": [
                [self._pair(pair), self._texts.place(reason)]
                for pair, reason in result.matrix.missing.items()
            ],
            **self._cells(result),
        }
        if result.published is not None:
            paper = result.published
            row["paper"] = [
                quantised(value)
                for value in (paper.id_mean, paper.ood_mean, paper.weighted_average)
            ]
        if details:
            row |= self._details(result)
        if own:
            row |= self._own_details(result, setting)
        return row

    def _pair(self, pair: Pair) -> list[int]:
        return [self._corpora.place(pair[0]), self._corpora.place(pair[1])]

    def _by_corpus(
        self, group: ComparisonGroup, result: BackboneResult, *, by_train: bool
    ) -> list[Any]:
        """Return the out-of-domain means of the corpora of the main cluster, in their order."""
        means, intervals = result.means("rows" if by_train else "columns")
        corpora = group.clusters[0] if group.clusters else ()
        return [
            _average(means[name], intervals.get(name)) if name in means else None
            for name in corpora
        ]

    def _cells(self, result: BackboneResult) -> dict[str, Any]:
        views = result.cells.values()
        found: dict[str, Any] = {
            "at": [self._pair(pair) for pair in result.cells],
            "value": [quantised(view.cell.value) for view in views],
        }
        if any(view.interval for view in views):
            found["low"] = [
                quantised(view.interval.low) if view.interval else None for view in views
            ]
            found["high"] = [
                quantised(view.interval.high) if view.interval else None for view in views
            ]
        if any(view.chance for view in views):
            found["chance"] = [
                quantised(view.chance.best_blind_guess) if view.chance else None for view in views
            ]
            found["unsure"] = [int(is_unsure(view)) for view in views]
        if any(view.published is not None for view in views):
            found["published"] = [quantised(view.published) for view in views]
        return found

    def _details(self, result: BackboneResult) -> dict[str, Any]:
        views = result.cells.values()
        return {
            "classes": [
                [self._classes.place(name), quantised(f1.in_domain), quantised(f1.out_of_domain)]
                for name, f1 in result.class_f1.items()
            ],
            "note": [
                self._texts.place(interval_note(view.interval)) if view.interval else None
                for view in views
            ],
            "repeated": [repetitions_of(view.cell) for view in views],
            "confusion": [confusion_of(view, self._classes) for view in views],
        }

    def _own_details(self, result: BackboneResult, setting: Setting) -> dict[str, Any]:
        """Return what does not depend on metric and adjustment, and scores by speaker."""
        scores = SpeakerScores(result.statistics, result.statistics.workspace)
        manifests = {pair: found.manifest for pair, found in result.estimates.items()}
        return {
            "counts": [counts_of(view.cell) for view in result.cells.values()],
            "keys": [keys_of(view.cell) for view in result.cells.values()],
            "speakers": [
                speakers_of(scores.of(view.cell, setting, manifests[pair]), self._texts)
                if pair in manifests
                else None
                for pair, view in result.cells.items()
            ],
            "setting": [
                [name.replace("_", " "), str(getattr(setting, name))]
                for name in _RECORDED
                if getattr(setting, name) is not None
            ],
        }

    def _table(self, table: PlainTable) -> dict[str, Any]:
        return {
            "title": table.title,
            "text": table.text,
            "columns": list(table.columns),
            "lines": [[cell.text for cell in line] for line in table.lines],
            "noun": table.noun,
            "sentences": [self._texts.place(sentence) for sentence in table.sentences],
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
            [name, places[first], places[second], self._texts.place(sentence)]
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
                ends = [_ends(intervals.get(pair)) for pair in first.cells]
                found[f"{one}-{other}"] = [[low for low, _ in ends], [high for _, high in ends]]
        seeds = [len(one.seeds) for result in results for one in result.estimates.values()]
        return {"pairs": found, "decided": min(seeds, default=0) >= MIN_SEEDS}


_RECORDED = (
    "protocol", "split", "reading", "mapper", "averaging", "probe", "probe_settings", "layer",
    "dtype", "audio_path", "checkpoint", "revision", "weights",
)  # fmt: skip
"""Parts of a setting that the page of a cell shows."""


def _probe(group: ComparisonGroup) -> str | None:
    settings = [part for part in group.details if part.startswith("probe settings")]
    return " · ".join(part for part in (group.setting.probe, *settings) if part) or None


def _ends(interval: Interval | None) -> list[int | None]:
    if interval is None:
        return [None, None]
    return [quantised(interval.low), quantised(interval.high)]


def _average(average: Average | None, interval: Interval | None) -> list[int | None] | None:
    """Return mean, low, high, deviation, and how many values of how many it has."""
    if average is None or average.mean is None:
        return None
    return [
        quantised(average.mean), *_ends(interval), quantised(average.sd), average.n, average.of,
    ]  # fmt: skip


def _matched(result: BackboneResult) -> list[int | None] | None:
    """Return the weighted average without adjustment on both sides; None if it is such already."""
    matched = result.matched
    if matched is None:
        return None
    return [quantised(matched.weighted), *_ends(matched.interval)]


def _letters(group: ComparisonGroup, result: BackboneResult) -> dict[str, str]:
    """Return the letters of the groups of ties of a backbone, by average."""
    return {
        verdicts.average: backbone.letters
        for verdicts in group.verdicts
        if verdicts.other_corpora is not None
        for backbone in verdicts.other_corpora.backbones
        if backbone.name == result.title
    }
