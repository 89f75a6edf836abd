"""Leak gaps: how much higher in-domain scores are if speakers are on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError
from sercore.evaluation.protocols import SUPPORTED
from sercore.evaluation.protocols import SplitScheme
from sercore.reports.views import LeakGap
from sercore.reports.views import LeakTable
from sercore.reports.views import Notice
from sercore.reports.views import RefusedGap
from sercore.statistics.leak import leak_gap
from sercore.statistics.leak import mean_leak_gap

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.results.matrices import Pair
    from sercore.statistics.answers import UnitCounts
    from sercore.statistics.intervals import Interval
    from sercore.statistics.leak import LeakGap as PairedGap


def leak_tables(groups: Sequence[ComparisonGroup]) -> Iterator[LeakTable]:
    """Yield a table for every group with random folds and its speaker-disjoint counterpart.

    The two differ in the split alone: probe, settings, class mapping and metric are the same. Only
    in-domain cells are compared: out of domain both sides are different corpora. Groups that
    differ only in the class rule share these cells, so the first of them is used.
    """
    seen = set()
    for random in groups:
        for disjoint in groups:
            if not _is_pair(random, disjoint):
                continue
            key = tuple((side.run, _shared(side)) for side in (random, disjoint))
            if key not in seen:
                seen.add(key)
                table = _table(random, disjoint)
                if table.gaps or table.refused:
                    yield table


def leak_notices(groups: Sequence[ComparisonGroup]) -> list[Notice]:
    """Return why two runs that look like a leak gap have none."""
    splits = {group.setting.split for group in groups}
    disjoint = SplitScheme.SPEAKER_DISJOINT in splits
    if not disjoint or SplitScheme.RANDOM not in splits or SplitScheme.RANDOM_KFOLD in splits:
        return []
    return [
        Notice(
            kind="note",
            title="No leak gap",
            text="A single 80/20 split tests other utterances and trains on more of them than "
            "speaker-disjoint folds do, so their difference is not the leak gap. Run the same "
            "corpora with --protocol random-kfold.",
        )
    ]


def _is_pair(random: ComparisonGroup, disjoint: ComparisonGroup) -> bool:
    splits = (random.setting.split, disjoint.setting.split)
    if splits != (SplitScheme.RANDOM_KFOLD, SplitScheme.SPEAKER_DISJOINT):
        return False
    return _shared(random) == _shared(disjoint)


def _shared(group: ComparisonGroup) -> tuple[object, ...]:
    """Return what two sides of a leak gap must have in common."""
    one = group.setting
    return (
        *(one.metric, one.averaging, one.reading, one.mapper),
        *(one.probe, one.probe_settings, one.demo, one.corpora),
    )


def _identity(result: BackboneResult) -> tuple[object, ...]:
    one = result.matrix.setting
    return one.backbone, one.weights, one.revision, one.layer, one.dtype, one.audio_path


def _table(random: ComparisonGroup, disjoint: ComparisonGroup) -> LeakTable:
    others = {_identity(result): result for result in disjoint.backbones}
    gaps: list[LeakGap] = []
    refused: list[RefusedGap] = []
    for result in random.backbones:
        other = others.get(_identity(result))
        if other is None:
            continue
        for pair, view in result.cells.items():
            if not view.cell.in_domain or pair not in other.cells:
                continue
            try:
                paired = _paired(result, other, pair)
            except ProtocolError as error:
                refused.append(RefusedGap(result.title, pair[0], str(error)))
                continue
            gaps.append(
                LeakGap(
                    backbone=result.backbone,
                    title=result.title,
                    corpus=pair[0],
                    random=view,
                    disjoint=other.cells[pair],
                    paired=paired,
                )
            )
    gaps.sort(key=lambda gap: (gap.corpus, gap.title))
    return LeakTable(
        random=random,
        disjoint=disjoint,
        gaps=tuple(gaps),
        refused=tuple(refused),
        mean=_mean({(gap.title, gap.corpus): gap.paired for gap in gaps}),
    )


def _paired(random: BackboneResult, disjoint: BackboneResult, pair: Pair) -> PairedGap:
    """Return the gap of one backbone on one corpus.

    Raises:
        ProtocolError: the two sides do not have the same seeds, speakers and utterances.
    """
    cells = random.cells[pair].cell, disjoint.cells[pair].cell
    if list(cells[0].by_seed) != list(cells[1].by_seed):
        raise ProtocolError(
            "the two runs have different seeds", hint="run both with the same --seed and --seeds"
        )
    one, other = (
        side.statistics.unit_counts(cell, side.matrix.setting)
        for side, cell in zip((random, disjoint), cells, strict=True)
    )
    if one is None or other is None:
        raise ProtocolError("the predictions of a fold are not stored", hint="run it again")
    if one.unit != other.unit or not np.array_equal(one.unit_ids, other.unit_ids):
        raise ProtocolError("the two runs tested different speakers or utterances")
    setting = random.matrix.setting
    gap = leak_gap(
        _pooled(one),
        _pooled(other),
        averaging=setting.averaging or SUPPORTED,
        measure=setting.metric,
        unit=one.unit,
    )
    return replace(gap, interval=replace(gap.interval, notes=(*gap.interval.notes, *one.notes)))


def _pooled(counts: UnitCounts) -> list[npt.NDArray[np.float32]]:
    """Return the counts of each seed, all folds together."""
    return [np.sum(fits, axis=0) for fits in counts.seeds]


def _mean(gaps: Mapping[tuple[str, str], PairedGap]) -> Interval | None:
    try:
        return mean_leak_gap(gaps)
    except (ProtocolError, ValueError):
        return None  # without gaps, or where one backbone lacks a speaker of a corpus
