"""The table of calibration: how far the probabilities of backbones can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sercore.reports.tables import PlainTable
from sercore.reports.tables import SortableText
from sercore.reports.tables import names
from sercore.results.text import MISSING
from sercore.results.text import number

if TYPE_CHECKING:
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.results.calibration import CalibrationMeasure
    from sercore.results.reductions import Average

_TEXT = (
    "Expected calibration error (ECE: mean gap between confidence and accuracy) and negative "
    "log-likelihood (NLL, in nats), in domain and out of domain; lower is better. Deviations are "
    "over corpora."
)


def calibration_tables(group: ComparisonGroup) -> Iterator[PlainTable]:
    """Yield the table of a group, if its run has the two metrics."""
    found = [result for result in group.backbones if result.calibration is not None]
    if not found:
        return
    adjustment = group.setting.adjustment
    text = _TEXT
    if adjustment:
        text += f" Out-of-domain probabilities have the adjustment {adjustment}."
    if any(_lacks_cells(result) for result in found):
        text += " A cell has no NLL if the training corpus lacks a class of the test corpus."
    yield PlainTable(
        title="Calibration",
        text=text,
        columns=(
            *("backbone", "layer", "ECE in domain", "NLL in domain", "cells"),
            *("ECE out of domain", "NLL out of domain", "cells"),
        ),
        lines=tuple(_line(result) for result in found),
        noun="backbone",
    )


def _line(result: BackboneResult) -> tuple[SortableText, ...]:
    calibration = result.calibration
    assert calibration is not None
    ece, nll = calibration.ece, calibration.nll
    return (
        *names(result.title, result.matrix.setting.layer or MISSING),
        _mean(ece.in_domain if ece else None),
        _mean(nll.in_domain if nll else None),
        _cells(nll, inside=True),
        _mean(ece.out_of_domain if ece else None),
        _mean(nll.out_of_domain if nll else None),
        _cells(nll, inside=False),
    )


def _mean(average: Average | None) -> SortableText:
    if average is None or average.mean is None:
        return SortableText(MISSING, "")
    spread = "" if average.sd is None else f" ± {number(average.sd)}"
    return SortableText(number(average.mean) + spread, f"{average.mean:.9f}")


def _cells(measure: CalibrationMeasure | None, *, inside: bool) -> SortableText:
    """Return how many of the cells have a likelihood."""
    if measure is None:
        return SortableText(MISSING, "")
    if inside:
        average = measure.reductions.in_domain
        return SortableText(average.coverage, str(average.n))
    outside = measure.reductions.out_of_domain
    if outside is None:
        return SortableText(MISSING, "")
    return SortableText(f"{outside.n_cells} of {outside.of_cells}", str(outside.n_cells))


def _lacks_cells(result: BackboneResult) -> bool:
    nll = result.calibration.nll if result.calibration is not None else None
    return nll is not None and len(nll.cells) < len(result.cells)
