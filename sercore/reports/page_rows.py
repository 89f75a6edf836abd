"""The rows of a view of the page: a backbone with its averages and cells, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from sercore.reports.cells import confusion_of
from sercore.reports.cells import counts_of
from sercore.reports.cells import interval_note
from sercore.reports.cells import is_unsure
from sercore.reports.cells import keys_of
from sercore.reports.cells import repetitions_of
from sercore.reports.cells import speakers_of
from sercore.reports.numbers import quantised
from sercore.results.speakers import SpeakerScores

if TYPE_CHECKING:
    from sercore.reports.numbers import PageNames
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.results.matrices import Setting
    from sercore.results.reductions import Average
    from sercore.statistics.intervals import Interval

_RECORDED = (
    "protocol", "split", "reading", "mapper", "averaging", "probe", "probe_settings", "layer",
    "dtype", "audio_path", "checkpoint", "revision", "weights",
)  # fmt: skip
"""Parts of a setting that the page of a cell shows."""


class PageRows:
    """Makes the rows of views.

    Args:
        names: of corpora, classes and texts, shared by all views of a page.
    """

    def __init__(self, names: PageNames) -> None:
        self._names = names

    def row(
        self, group: ComparisonGroup, result: BackboneResult, *, details: bool, own: bool
    ) -> dict[str, Any]:
        """Return a backbone of a view.

        Args:
            group: the backbones of the view.
            result: one of them.
            details: whether to add the notes, seeds and confusion counts of its cells.
            own: whether to add what is the same under every metric and adjustment.
        """
        setting, reductions, around = result.matrix.setting, result.reductions, result.intervals
        outside = result.out_of_domain
        weighted = [quantised(reductions.weighted), *ends_of(around.weighted)]
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
                [self._names.pair(pair), self._names.texts.place(reason)]
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
            "at": [self._names.pair(pair) for pair in result.cells],
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
                [
                    self._names.classes.place(name),
                    quantised(f1.in_domain),
                    quantised(f1.out_of_domain),
                ]
                for name, f1 in result.class_f1.items()
            ],
            "note": [
                self._names.texts.place(interval_note(view.interval)) if view.interval else None
                for view in views
            ],
            "repeated": [repetitions_of(view.cell) for view in views],
            "confusion": [confusion_of(view, self._names.classes) for view in views],
        }

    def _own_details(self, result: BackboneResult, setting: Setting) -> dict[str, Any]:
        """Return what does not depend on metric and adjustment, and scores by speaker."""
        scores = SpeakerScores(result.statistics, result.statistics.workspace)
        manifests = {pair: found.manifest for pair, found in result.estimates.items()}
        return {
            "counts": [counts_of(view.cell) for view in result.cells.values()],
            "keys": [keys_of(view.cell) for view in result.cells.values()],
            "speakers": [
                speakers_of(scores.of(view.cell, setting, manifests[pair]), self._names.texts)
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


def ends_of(interval: Interval | None) -> list[int | None]:
    """Return the ends of an interval; None without one."""
    if interval is None:
        return [None, None]
    return [quantised(interval.low), quantised(interval.high)]


def _average(average: Average | None, interval: Interval | None) -> list[int | None] | None:
    """Return mean, low, high, deviation, and how many values of how many it has."""
    if average is None or average.mean is None:
        return None
    return [
        quantised(average.mean), *ends_of(interval), quantised(average.sd), average.n, average.of,
    ]  # fmt: skip


def _matched(result: BackboneResult) -> list[int | None] | None:
    """Return the weighted average without adjustment on both sides; None if it is such already."""
    matched = result.matched
    if matched is None:
        return None
    return [quantised(matched.weighted), *ends_of(matched.interval)]


def _letters(group: ComparisonGroup, result: BackboneResult) -> dict[str, str]:
    """Return the letters of the groups of ties of a backbone, by average."""
    return {
        verdicts.average: backbone.letters
        for verdicts in group.verdicts
        if verdicts.other_corpora is not None
        for backbone in verdicts.other_corpora.backbones
        if backbone.name == result.title
    }
