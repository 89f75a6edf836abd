"""One side of a comparison: the matrices of a run that were chosen, under keys that both share."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields
from typing import TYPE_CHECKING
from typing import NamedTuple

from sercore.errors import ProtocolError
from sercore.results.cell_statistics import CellStatistics
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import require_adjustment

if TYPE_CHECKING:
    from sercore.results.cell_statistics import Estimate
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.stored_run import StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which matrices of a run are compared; None takes all, of an adjustment the headline."""

    adjustment: str | None = None
    probe: str | None = None
    layer: str | None = None

    def differing(self, other: Choice) -> str:
        """Return the parts that differ from another choice: ``probe linear, layer 3``."""
        return ", ".join(
            f"{field.name} {getattr(self, field.name) or 'of the run'}"
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        )


class MatrixKey(NamedTuple):
    """What names a matrix on both sides."""

    backbone: str
    class_rule: str | None
    probe: str | None
    """None where each side has one probe: then two different probes are compared."""
    layer: str | None
    """None where each side has one layer."""
    demo: bool
    corpora: str | None
    """The set of corpora."""

    @property
    def title(self) -> str:
        """The backbone with probe and layer, where a side has several."""
        probe = f"probe {self.probe}" if self.probe is not None else ""
        layer = f"layer {self.layer}" if self.layer is not None else ""
        corpora = f"corpora {self.corpora}" if self.corpora is not None else ""
        return " · ".join(part for part in (self.backbone, probe, layer, corpora) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class SideCell:
    """A cell of one side."""

    cell: Cell
    estimate: Estimate | None


@dataclass(frozen=True, slots=True)
class Side:
    """The matrices of one run."""

    run: StoredRun
    matrices: Mapping[MatrixKey, Matrix]
    estimates: Mapping[MatrixKey, Mapping[Pair, Estimate]]

    def cells(self) -> dict[tuple[MatrixKey, Pair], SideCell]:
        """Return all cells; in-domain cells once, since no class rule applies to them."""
        found = {}
        for key, matrix in self.matrices.items():
            for pair, cell in matrix.cells.items():
                own = key._replace(class_rule=None) if cell.in_domain else key
                estimate = self.estimates[key].get(pair)
                found[own, pair] = SideCell(cell=cell, estimate=estimate)
        return found

    def describe(self) -> str:
        """Return what the side has, for the message that nothing is in common."""
        keys = list(self.matrices)
        parts = [
            f"backbones {_listed(key.backbone for key in keys)}",
            f"class rules {_listed(key.class_rule or 'in-domain' for key in keys)}",
        ]
        if any(key.corpora for key in keys):
            parts.append(f"sets of corpora {_listed(key.corpora or '' for key in keys)}")
        if any(key.probe for key in keys):
            parts.append(f"probes {_listed(key.probe or '' for key in keys)}")
        if any(key.layer for key in keys):
            parts.append(f"layers {_listed(key.layer or '' for key in keys)}")
        corpora = {
            name for matrix in self.matrices.values() for pair in matrix.cells for name in pair
        }
        parts.append(f"corpora {_listed(corpora)}")
        return f"'{self.run.name}' has {', '.join(parts)}"


def two_sides(
    runs: tuple[StoredRun, StoredRun], choices: tuple[Choice, Choice], metric: str | None
) -> tuple[Side, Side]:
    """Return both sides of a comparison.

    Args:
        runs: the runs; both may be the same.
        choices: what is compared of each.
        metric: of whole cells; that of the headline if None.

    Raises:
        ProtocolError: a choice has no scores, or a run has several matrices of one backbone that
            differ in more than class rule, probe and layer.
    """
    first, second = (
        _chosen(run, choice, metric) for run, choice in zip(runs, choices, strict=True)
    )
    several = {name for name in ("probe", "layer") if _has_several(name, first, second)}
    names = _names(first, second)
    one, other = (
        _side(run, found, several, names) for run, found in zip(runs, (first, second), strict=True)
    )
    return one, other


def _chosen(run: StoredRun, choice: Choice, metric: str | None) -> tuple[Matrix, ...]:
    require_adjustment(run, choice.adjustment)
    found = matrices_of(run.scores, run.record, metric=metric, adjustment=choice.adjustment)
    for name in ("probe", "layer"):
        wanted = getattr(choice, name)
        known = {str(getattr(matrix.setting, name)) for matrix in found}
        if wanted is not None and wanted not in known:
            raise ProtocolError(
                f"no score of the run '{run.name}' has the {name} '{wanted}'",
                hint=f"it has {_listed(known)}",
            )
        found = tuple(
            matrix for matrix in found if wanted in (None, str(getattr(matrix.setting, name)))
        )
    return found


def _has_several(name: str, *sides: Sequence[Matrix]) -> bool:
    return any(len({getattr(matrix.setting, name) for matrix in side}) > 1 for side in sides)


def _names(first: Sequence[Matrix], second: Sequence[Matrix]) -> dict[str, str]:
    """Return another name for backbones of the second side that the first knows by checkpoint."""
    known = {matrix.setting.backbone for matrix in first}
    by_checkpoint = {
        matrix.setting.checkpoint: matrix.setting.backbone
        for matrix in sorted(first, key=lambda found: found.setting.backbone, reverse=True)
        if matrix.setting.checkpoint
    }
    return {
        matrix.setting.backbone: by_checkpoint[matrix.setting.checkpoint]
        for matrix in second
        if matrix.setting.backbone not in known and matrix.setting.checkpoint in by_checkpoint
    }


def _side(
    run: StoredRun, found: Sequence[Matrix], several: set[str], names: Mapping[str, str]
) -> Side:
    matrices: dict[MatrixKey, Matrix] = {}
    for matrix in found:
        setting = matrix.setting
        key = MatrixKey(
            names.get(setting.backbone, setting.backbone),
            setting.class_rule,
            setting.probe if "probe" in several else None,
            setting.layer if "layer" in several else None,
            setting.demo,
            setting.corpora,
        )
        if key in matrices:
            raise ProtocolError(
                f"the run '{run.name}' has several matrices of {key.title} that differ in more "
                "than class rule, probe and layer",
                hint="compare runs with one protocol, one precision and one checkpoint",
            )
        matrices[key] = matrix
    estimates = CellStatistics(run).estimates(matrices.values())
    return Side(
        run,
        matrices,
        {
            key: {
                pair: estimates[matrix.setting, pair]
                for pair in matrix.cells
                if (matrix.setting, pair) in estimates
            }
            for key, matrix in matrices.items()
        },
    )


def _listed(names: Iterable[str]) -> str:
    unique = sorted(set(names))
    shown = ", ".join(unique[:6])
    return shown + (f" and {len(unique) - 6} more" if len(unique) > 6 else "") if unique else "none"
