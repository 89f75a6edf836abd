"""How much an in-domain score owes to speakers and texts that stand on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sercore.reports.content import CellView
    from sercore.reports.content import Family
    from sercore.reports.content import Row

_LEAKY = "random"
_CLEAN = "speaker-disjoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakGap:
    """One backbone on one corpus, on both kinds of split."""

    backbone: str
    title: str
    corpus: str
    leaky: CellView
    """On the paper's split over files."""
    clean: CellView
    """With no speaker on both sides (texts, where a corpus has one speaker)."""

    @property
    def gap(self) -> float:
        """What the split over files adds to the score."""
        return self.leaky.cell.value - self.clean.cell.value

    @property
    def separated(self) -> bool | None:
        """Whether the intervals of the two scores are apart; None where one has none."""
        first, second = self.leaky.interval, self.clean.interval
        if first is None or second is None:
            return None
        return first.low > second.high or second.low > first.high


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakTable:
    """The gaps between two families."""

    leaky: Family
    clean: Family
    gaps: tuple[LeakGap, ...]
    """By corpus, then backbone."""

    @property
    def mean(self) -> float:
        """The mean gap."""
        return sum(each.gap for each in self.gaps) / len(self.gaps)

    @property
    def differs_in(self) -> tuple[str, ...]:
        """What besides the split differs between the two."""
        names = ("reading", "mapper", "averaging", "audio_path", "probe", "probe_settings")
        return tuple(
            name
            for name in names
            if getattr(self.leaky.setting, name) != getattr(self.clean.setting, name)
        )


def leak_tables(families: Sequence[Family]) -> Iterator[LeakTable]:
    """Yield a table for every split over files that has a speaker-disjoint counterpart.

    Only in-domain cells are compared: out of domain both sides are different corpora anyway. Of
    several class rules of one protocol the first stands for all, since they share these cells.
    """
    seen = set()
    for leaky in families:
        for clean in families:
            if leaky.setting.split != _LEAKY or clean.setting.split != _CLEAN:
                continue
            if leaky.setting.metric != clean.setting.metric:
                continue
            if leaky.setting.demo != clean.setting.demo:
                continue
            key = tuple(
                (each.run, each.setting.protocol, each.setting.probe, each.setting.demo)
                for each in (leaky, clean)
            )
            gaps = _gaps(leaky.rows, clean.rows)
            if gaps and key not in seen:
                seen.add(key)
                yield LeakTable(leaky=leaky, clean=clean, gaps=gaps)


def _gaps(leaky: Sequence[Row], clean: Sequence[Row]) -> tuple[LeakGap, ...]:
    others = {(row.backbone, row.matrix.setting.weights): row for row in clean}
    found = []
    for row in leaky:
        other = others.get((row.backbone, row.matrix.setting.weights))
        if other is None:
            continue
        found += [
            LeakGap(
                backbone=row.backbone,
                title=row.title,
                corpus=pair[0],
                leaky=view,
                clean=other.cells[pair],
            )
            for pair, view in row.cells.items()
            if view.cell.in_domain and pair in other.cells
        ]
    return tuple(sorted(found, key=lambda gap: (gap.corpus, gap.backbone)))
