"""How much of the gain of known test frequencies is recovered without any test label."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sercore.evaluation.label_shift import MIN_GAIN
from sercore.evaluation.label_shift import recovered_gain
from sercore.evaluation.protocols import LABEL_SHIFT
from sercore.evaluation.protocols import Adjustment
from sercore.reports.tables import PlainTable
from sercore.reports.tables import SortableText
from sercore.reports.tables import names
from sercore.reports.views import Recovery
from sercore.results.matrices import common_cells
from sercore.results.stored_run import computed_adjustments
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import reduce_of
from sercore.results.text import MISSING
from sercore.results.text import number
from sercore.results.text import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sercore.reports.views import ComparisonGroup
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Setting
    from sercore.results.stored_run import StoredRun

_SHOWN = (Adjustment.UNIFORM, *LABEL_SHIFT, Adjustment.ORACLE)


class Recoveries:
    """Out-of-domain means of a run under each adjustment.

    Args:
        run: the run.
        metric: of whole cells; that of the headline if None.
    """

    def __init__(self, run: StoredRun, metric: str | None) -> None:
        self._record = run.record
        computed = computed_adjustments(run)
        self._matrices: Mapping[Setting, Matrix] = {}
        # Without all ends of the scale and one estimate there is nothing to compare.
        if {Adjustment.UNIFORM, Adjustment.ORACLE} <= set(computed) and set(computed) & set(
            LABEL_SHIFT
        ):
            self._matrices = {
                matrix.setting: matrix
                for name in _SHOWN
                if name in computed
                for matrix in matrices_of(
                    run.whole_cells, run.record, metric=metric, adjustment=name
                )
                if matrix.setting.adjustment is not None
            }

    def of(self, setting: Setting, title: str) -> Recovery | None:
        """Return the means of one backbone over the cells that all adjustments have."""
        wanted = [replace(setting, adjustment=str(name)) for name in _SHOWN]
        found = [self._matrices[one] for one in wanted if one in self._matrices]
        if len(found) < 3:
            return None
        reduced = [reduce_of(matrix, self._record) for matrix in common_cells(found)]
        means = {
            str(one.setting.adjustment): one.out_of_domain.average.mean
            for one in reduced
            if one.out_of_domain is not None and one.out_of_domain.average.mean is not None
        }
        if len(means) < len(found):
            return None
        outside = reduced[0].out_of_domain
        return Recovery(title=title, means=means, n_cells=outside.n_cells if outside else 0)


def recovery_tables(group: ComparisonGroup) -> Iterator[PlainTable]:
    """Yield the table of a group, if its run has the adjustments for it."""
    if not group.recoveries:
        return
    shown = [str(name) for name in _SHOWN if all(name in one.means for one in group.recoveries)]
    estimates = [str(name) for name in LABEL_SHIFT if name in shown]
    yield PlainTable(
        title="Class frequencies of the test corpora, estimated without labels",
        text=(
            f"Mean out-of-domain {group.setting.metric}. 'oracle' knows the class frequencies of "
            "the test corpus; 'em' and 'bbse' estimate them from unlabelled test logits and from "
            "labelled training-side utterances, and use no test label. 'recovers' is the share of "
            "the oracle's gain over 'uniform'; a negative share is a loss. Where the oracle gains "
            f"less than {MIN_GAIN:g} there is no share."
        ),
        columns=("backbone", "cells", *shown, *(f"{name} recovers" for name in estimates)),
        lines=tuple(_line(one, shown, estimates) for one in group.recoveries),
        noun="backbone",
    )


def _line(
    one: Recovery, shown: Sequence[str], estimates: Sequence[str]
) -> tuple[SortableText, ...]:
    uniform, oracle = one.means[Adjustment.UNIFORM], one.means[Adjustment.ORACLE]
    shares = [recovered_gain(uniform, one.means[name], oracle) for name in estimates]
    return (
        *names(one.title, plural(one.n_cells, "cell")),
        *(SortableText(number(one.means[name]), f"{one.means[name]:.9f}") for name in shown),
        *(
            SortableText(MISSING, "")
            if share is None
            else SortableText(f"{share:.0%}".replace("%", " %"), f"{share:.9f}")
            for share in shares
        ),
    )
