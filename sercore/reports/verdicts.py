"""Which backbone of a group is better: on other corpora like these, and on these corpora."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError
from sercore.evaluation.metrics import MEASURES
from sercore.reports.views import Verdicts
from sercore.results.averages import AVERAGES
from sercore.results.averages import difference_intervals
from sercore.statistics.crossed import compare_by_corpus
from sercore.statistics.crossed import compare_over_other_corpora
from sercore.statistics.paired import judge_on_these_corpora
from sercore.statistics.ranks import compare_over_corpora

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.reports.views import BackboneResult
    from sercore.results.averages import AverageName
    from sercore.statistics.paired import PairedVerdict
    from sercore.statistics.ranks import Comparison
    from sercore.statistics.verdicts import CorporaComparison

    Values = npt.NDArray[np.float64]


def verdicts_of(
    results: Sequence[BackboneResult], *, rope: float, rank_tests: bool
) -> tuple[Verdicts, ...]:
    """Return the verdicts about every average that the backbones have.

    There are none for metrics that are not measures of confusion counts: they have no intervals,
    and of some the lowest value is the best.

    Args:
        results: backbones that can be compared, with different titles.
        rope: half the width of the region of practical equivalence.
        rank_tests: whether to add the classical tests with ranks.
    """
    if len(results) < 2 or results[0].matrix.setting.metric not in MEASURES:
        return ()
    outside = any(result.out_of_domain for result in results)
    same_cells = len({result.reductions.cells for result in results}) == 1
    paired = _on_these_corpora(results, rope) if same_cells else {}
    found = []
    for name in AVERAGES if outside else AVERAGES[:1]:
        comparison, refusal = _on_other_corpora(results, name, rope)
        found.append(
            Verdicts(
                average=name,
                other_corpora=comparison,
                refusal=refusal,
                these_corpora=tuple(paired.get(name, ())),
                n_cells=_n_cells(results[0], name),
                rope=rope,
                ranks=_ranks(results, name) if rank_tests else None,
            )
        )
    return tuple(verdicts for verdicts in found if verdicts.has_any)


def _on_other_corpora(
    results: Sequence[BackboneResult], name: AverageName, rope: float
) -> tuple[CorporaComparison | None, str | None]:
    """Return the comparison, or one sentence why there is none."""
    names = [result.title for result in results]
    try:
        if name == "out-of-domain":
            return compare_over_other_corpora(names, _matrices(results), rope=rope), None
        if name == "in-domain":
            return compare_by_corpus(names, _by_corpus(results, _in_domain), rope=rope), None
    except ProtocolError as error:
        return None, str(error)
    return None, None


def _on_these_corpora(
    results: Sequence[BackboneResult], rope: float
) -> Mapping[AverageName, Sequence[PairedVerdict]]:
    """Return the paired verdicts by average; none without cells, or if one has no estimate."""
    cells = results[0].reductions.cells
    if not cells or not all(cells <= result.estimates.keys() for result in results):
        return {}
    own = {result.title: {pair: result.estimates[pair] for pair in cells} for result in results}
    outside = results[0].reductions.out_of_domain
    differences = difference_intervals(
        own,
        sorted(train for train, test in cells if train == test),
        outside.corpora if outside else (),
    )
    n_seeds = min(len(found.seeds) for estimates in own.values() for found in estimates.values())
    return {
        name: judge_on_these_corpora(found, n_seeds=n_seeds, rope=rope)
        for name, found in differences.items()
        if found
    }


def _ranks(results: Sequence[BackboneResult], name: AverageName) -> Comparison | None:
    """Return the rank tests over the corpora that all backbones have; None if there are too few."""
    if name == "weighted":
        return None
    values = _by_corpus(results, _in_domain if name == "in-domain" else _row_means)
    whole = values[np.isfinite(values).all(axis=1)]
    if len(whole) < 2:
        return None
    return compare_over_corpora([result.title for result in results], whole)


def _matrices(results: Sequence[BackboneResult]) -> Values:
    """Return float64 (backbones, train corpora, test corpora), NaN where there is no cell."""
    corpora = sorted(
        {
            name
            for result in results
            if result.reductions.out_of_domain
            for name in result.reductions.out_of_domain.corpora
        }
    )
    place = {name: index for index, name in enumerate(corpora)}
    values = np.full((len(results), len(corpora), len(corpora)), np.nan)
    for index, result in enumerate(results):
        for (train, test), view in result.cells.items():
            if train != test and train in place and test in place:
                values[index, place[train], place[test]] = view.cell.value
    return values


def _by_corpus(
    results: Sequence[BackboneResult], values_of: Callable[[BackboneResult], Mapping[str, float]]
) -> Values:
    """Return float64 (corpora, backbones), NaN where a backbone lacks a corpus."""
    found = [values_of(result) for result in results]
    corpora = sorted({name for values in found for name in values})
    return np.array([[values.get(name, np.nan) for values in found] for name in corpora]).reshape(
        len(corpora), len(results)
    )


def _in_domain(result: BackboneResult) -> dict[str, float]:
    return {pair[0]: view.cell.value for pair, view in result.cells.items() if view.cell.in_domain}


def _row_means(result: BackboneResult) -> dict[str, float]:
    means, _ = result.means("rows")
    return {
        corpus: average.mean
        for corpus, average in means.items()
        if average.mean is not None and average.complete
    }


def _n_cells(result: BackboneResult, name: AverageName) -> int:
    cells = result.reductions.cells
    inside = sum(train == test for train, test in cells)
    return {"in-domain": inside, "out-of-domain": len(cells) - inside}.get(name, len(cells))
