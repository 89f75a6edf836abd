"""Ceiling and floor: what in-domain scores stand between, corpus by corpus."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from sercore.reports.tables import PlainTable
from sercore.reports.tables import SortableText
from sercore.reports.tables import names
from sercore.results.text import MISSING
from sercore.results.text import bracketed

if TYPE_CHECKING:
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.statistics.chance import Chance
    from sercore.statistics.intervals import Interval

_MEAN = "mean"


class Score(NamedTuple):
    """A value, with its interval if it has one."""

    value: float
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """What in-domain scores are compared with."""

    title: str
    mean: Score | None
    """Over the corpora that have it."""
    cells: Mapping[str, Score]
    """By corpus."""


def levels_of(group: ComparisonGroup) -> Iterator[Level]:
    """Yield chance, the shortcuts, the floors among the backbones, and listeners."""
    fullest = max(group.backbones, key=lambda result: len(result.reductions.cells))
    chances = {
        train: view.chance
        for (train, test), view in fullest.cells.items()
        if train == test and view.chance is not None
    }
    if chances:
        yield _chance(group.chance.in_domain, chances)
    for shortcut in group.shortcuts:
        yield Level(
            shortcut.title,
            Score(shortcut.mean, shortcut.interval),
            {
                corpus: Score(found.cell.value, found.interval)
                for corpus, found in shortcut.cells.items()
            },
        )
    yield from (_of_backbone(result) for result in group.backbones if result.is_floor)
    if group.human_accuracy:
        listeners = {corpus: Score(share) for corpus, share in group.human_accuracy.items()}
        yield Level("listeners (accuracy)", None, listeners)


def level_tables(group: ComparisonGroup) -> Iterator[PlainTable]:
    """Yield the table of a group: the best encoder of each corpus, and all levels beside it."""
    levels = list(levels_of(group))
    if not levels:
        return
    encoders = [_of_backbone(result) for result in group.backbones if not result.is_floor]
    lines = (_MEAN, *group.in_domain_corpora)
    yield PlainTable(
        title="Ceiling and floor, in domain",
        text=_explained(group),
        columns=("corpus", "best encoder", "its score", *(level.title for level in levels)),
        lines=tuple(_line(name, encoders, levels) for name in lines),
        noun="line",
    )


def _explained(group: ComparisonGroup) -> str:
    text = (
        f"The best encoder by in-domain {group.setting.metric}, and what its score is compared "
        "with; 95 % intervals in brackets. The best blind guess ignores the sound."
    )
    if group.shortcuts:
        text += (
            " 'text alone' and 'speaker alone' say the class that the training part has most often "
            "for the same text or speaker. They are computed from manifests and splits, without "
            "audio, for corpora that name them. Out of domain they know nothing."
        )
    if any(result.is_floor for result in group.backbones):
        text += " A floor is a backbone without pre-training."
    if group.human_accuracy:
        text += " 'listeners' is the accuracy of human listeners that the authors published."
    return text


def _chance(mean: Chance | None, cells: Mapping[str, Chance]) -> Level:
    return Level(
        "best blind guess",
        None if mean is None else Score(mean.best_blind_guess),
        {corpus: Score(level.best_blind_guess) for corpus, level in cells.items()},
    )


def _of_backbone(result: BackboneResult) -> Level:
    mean = result.reductions.in_domain.mean
    return Level(
        result.title,
        None if mean is None else Score(mean, result.intervals.in_domain),
        {
            train: Score(view.cell.value, view.interval)
            for (train, test), view in result.cells.items()
            if train == test
        },
    )


def _line(
    name: str, encoders: Sequence[Level], levels: Sequence[Level]
) -> tuple[SortableText, ...]:
    scored = [
        (score.value, encoder.title, score)
        for encoder in encoders
        if (score := _score(encoder, name)) is not None
    ]
    _, title, score = max(scored, default=(0.0, MISSING, None), key=lambda found: found[0])
    return (
        *names(name, title),
        _text(score),
        *(_text(_score(level, name)) for level in levels),
    )


def _score(level: Level, name: str) -> Score | None:
    return level.mean if name == _MEAN else level.cells.get(name)


def _text(score: Score | None) -> SortableText:
    if score is None:
        return SortableText(MISSING, "")
    return SortableText(bracketed(score.value, score.interval), f"{score.value:.9f}")
