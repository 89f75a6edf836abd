"""Reductions: the averages of a matrix, and how much of it they cover.

Definitions (SER Evals, Osman, Kaplan, Nadeem 2024, section 4), with M[train, test] and E the
corpora between which out-of-domain cells are averaged:

- in-domain mean and deviation over the diagonal;
- row reduction (Figure 2): for each train corpus in E the mean over the other test corpora;
- column reduction (Figure 3): for each test corpus in E the mean over the other train corpora;
- out-of-domain mean and deviation of the row means;
- weighted average = (OOD mean + ID mean) / 2 - lambda * (OOD deviation + ID deviation) / 2.

All deviations divide by n - 1.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError
from sercore.results.matrices import matrices

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from sercore.results.matrices import Expected
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting

    Values = npt.NDArray[np.float64]

LAMBDA = 1.0
"""Weight of the deviations in the weighted average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """A mean, and how many of its values are there."""

    mean: float | None
    sd: float | None
    """Standard deviation (n - 1); None if there are fewer than two values."""
    n: int
    of: int
    """How many values a complete average has."""
    missing: tuple[str, ...] = ()
    """Names of the missing values."""

    @property
    def complete(self) -> bool:
        """Whether no value is missing."""
        return self.n == self.of

    @property
    def coverage(self) -> str:
        """How many values are there: ``8 of 9``."""
        return f"{self.n} of {self.of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfDomain:
    """The out-of-domain reductions over one set of corpora."""

    corpora: tuple[str, ...]
    rows: Mapping[str, Average]
    """By train corpus, over the other test corpora: Figure 2 of the paper."""
    columns: Mapping[str, Average]
    """By test corpus, over the other train corpora: Figure 3 of the paper."""
    average: Average
    """Mean and deviation of the row means; `n` counts rows with any cell."""
    n_cells: int
    of_cells: int

    @property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return self.n_cells == self.of_cells

    @property
    def coverage(self) -> str:
        """How much is there: ``8 of 9 rows, 64 of 72 cells``."""
        return f"{self.average.coverage} rows, {self.n_cells} of {self.of_cells} cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reductions:
    """All averages of the matrix of one backbone."""

    setting: Setting
    in_domain: Average
    out_of_domain: OutOfDomain | None
    """Over the main set of corpora; None if the matrix has no out-of-domain cell."""
    small_clusters: tuple[OutOfDomain, ...]
    """Over the other sets of corpora, which no average of the paper includes."""
    weighted: float | None
    """The weighted average of the values that are there; None if a deviation is undefined."""
    cells: frozenset[Pair]
    """The cells in the in-domain and the main out-of-domain averages."""

    @property
    def complete(self) -> bool:
        """Whether no cell of the averages is missing."""
        outside = self.out_of_domain
        return self.in_domain.complete and (outside is None or outside.complete)


@dataclass(frozen=True, slots=True)
class Reduced:
    """The averages as arrays, over any number of leading axes (draws, seeds); NaN is missing."""

    in_domain_mean: Values
    in_domain_sd: Values
    rows: Values
    columns: Values
    out_of_domain_mean: Values
    out_of_domain_sd: Values
    weighted: Values


def reduce_values(in_domain: Values, out_of_domain: Values, penalty: float = LAMBDA) -> Reduced:
    """Reduce a matrix.

    Args:
        in_domain: float64 (..., corpora), NaN where missing.
        out_of_domain: float64 (..., train corpora, test corpora), square; its diagonal is ignored.
        penalty: the weight of the deviations in the weighted average.
    """
    size = out_of_domain.shape[-1]
    outside = np.where(np.eye(size, dtype=bool), np.nan, out_of_domain)
    rows, columns = _mean(outside, -1), _mean(outside, -2)
    id_mean, id_sd = _mean(in_domain, -1), _sd(in_domain)
    ood_mean, ood_sd = _mean(rows, -1), _sd(rows)
    weighted = (ood_mean + id_mean) / 2 - penalty * (ood_sd + id_sd) / 2
    return Reduced(id_mean, id_sd, rows, columns, ood_mean, ood_sd, weighted)


def reduce_matrix(matrix: Matrix, *, eligible: Collection[str] | None = None) -> Reductions:
    """Return the reductions of one matrix.

    Args:
        matrix: the cells.
        eligible: the corpora of the out-of-domain averages; None means the largest set of corpora
            that out-of-domain cells connect.
    """
    main, others = _main_cluster(matrix.clusters, eligible)
    outside = None if main is None else _out_of_domain(matrix, main)
    values = {
        name: matrix.cells[name, name].value
        for name in matrix.in_domain
        if (name, name) in matrix.cells
    }
    diagonal = _average(values, matrix.in_domain)
    used = {(name, name) for name in values}
    if main is not None:
        used |= {pair for pair in matrix.cells if pair[0] != pair[1] and set(pair) <= set(main)}
    return Reductions(
        setting=matrix.setting,
        in_domain=diagonal,
        out_of_domain=outside,
        small_clusters=tuple(_out_of_domain(matrix, corpora) for corpora in others),
        weighted=_weighted(diagonal, outside),
        cells=frozenset(used),
    )


def reduce_scores(
    scores: pa.Table,
    *,
    metric: str | None = None,
    adjustment: str | None = None,
    eligible: Collection[str] | None = None,
    expected: Expected | None = None,
) -> tuple[Reductions, ...]:
    """Return the reductions of every matrix in a table of scores.

    Args:
        scores: rows as in `sercore.evaluation.scores.SCORE_SCHEMA`.
        metric: which metric of whole cells; that of the headline if None.
        adjustment: which out-of-domain adjustment; that of the headline if None.
        eligible: as in `reduce_matrix`.
        expected: as in `sercore.results.matrices.matrices`.
    """
    found = matrices(scores, metric=metric, adjustment=adjustment, expected=expected)
    return tuple(reduce_matrix(matrix, eligible=eligible) for matrix in found)


def require_comparable(reductions: Sequence[Reductions]) -> None:
    """Refuse to rank averages that cover different cells or have different settings.

    Raises:
        ProtocolError: they cannot be ranked; the message names a backbone and what it lacks.
    """
    if len({backbone.setting.comparison_key for backbone in reductions}) > 1:
        raise ProtocolError(
            "averages under different protocols, class rules, metrics or probes cannot be ranked "
            "together",
            hint="rank each of them alone",
        )
    everything: frozenset[Pair] = frozenset().union(*(backbone.cells for backbone in reductions))
    for backbone in reductions:
        lacking = sorted(everything - backbone.cells)
        if lacking:
            train, test = lacking[0]
            raise ProtocolError(
                f"{backbone.setting.backbone} lacks {len(lacking)} of {len(everything)} cells that "
                f"other backbones have ({train} on {test} first), so their averages cannot be "
                "ranked",
                hint="finish the run, or use only the cells that all of them have: --common-cells",
            )


def _main_cluster(
    clusters: Sequence[tuple[str, ...]], eligible: Collection[str] | None
) -> tuple[tuple[str, ...] | None, list[tuple[str, ...]]]:
    """Return the corpora of the main out-of-domain averages, and the other sets of corpora."""
    if eligible is None:
        return (clusters[0], list(clusters[1:])) if clusters else (None, [])
    connected = {name for corpora in clusters for name in corpora}
    main = tuple(sorted(connected & set(eligible)))
    rest = [tuple(name for name in corpora if name not in main) for corpora in clusters]
    return main if len(main) > 1 else None, [corpora for corpora in rest if len(corpora) > 1]


def _out_of_domain(matrix: Matrix, corpora: tuple[str, ...]) -> OutOfDomain:
    inside = [
        (train, test)
        for train in corpora
        for test in corpora
        if (train, test) in {*matrix.cells, *matrix.missing} and train != test
    ]

    def average(name: str, side: int) -> Average:
        pairs = [pair for pair in inside if pair[side] == name]
        values = {
            pair[1 - side]: matrix.cells[pair].value for pair in pairs if pair in matrix.cells
        }
        return _average(values, [pair[1 - side] for pair in pairs])

    rows = {name: average(name, 0) for name in corpora}
    columns = {name: average(name, 1) for name in corpora}
    means = {name: row.mean for name, row in rows.items() if row.mean is not None}
    trained = [name for name in corpora if rows[name].of]
    return OutOfDomain(
        corpora=corpora,
        rows=rows,
        columns=columns,
        average=_average(means, trained),
        n_cells=sum(pair in matrix.cells for pair in inside),
        of_cells=len(inside),
    )


def _average(values: Mapping[str, float], names: Sequence[str]) -> Average:
    numbers = np.array(list(values.values()), dtype=np.float64)
    return Average(
        mean=float(numbers.mean()) if len(numbers) else None,
        sd=float(numbers.std(ddof=1)) if len(numbers) > 1 else None,
        n=len(numbers),
        of=len(names),
        missing=tuple(name for name in names if name not in values),
    )


def _weighted(inside: Average, outside: OutOfDomain | None) -> float | None:
    if outside is None:
        return None
    average = outside.average
    if inside.mean is None or inside.sd is None or average.mean is None or average.sd is None:
        return None
    return (average.mean + inside.mean) / 2 - LAMBDA * (average.sd + inside.sd) / 2


def _mean(values: Values, axis: int) -> Values:
    finite = np.isfinite(values)
    n = finite.sum(axis=axis)
    total = np.where(finite, values, 0.0).sum(axis=axis)
    return np.asarray(np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0))


def _sd(values: Values) -> Values:
    finite = np.isfinite(values)
    n = finite.sum(axis=-1)
    gaps = np.where(finite, values - _mean(values, -1)[..., np.newaxis], 0.0)
    squares = (gaps**2).sum(axis=-1)
    variance = np.divide(squares, n - 1, out=np.full(n.shape, np.nan), where=n > 1)
    return np.asarray(np.sqrt(variance))
