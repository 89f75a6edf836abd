"""Backbones over a matrix of train and test corpora, both a sample of corpora like them.

The scores of one row share a train corpus and those of one column a test corpus, so neither rows
nor cells are independent: tests over nine rows find a difference between equal backbones in 14 to
25 % of simulations, a t test over 72 cells in 56 %. A crossed model keeps both shares apart:

    d_ij = delta + r_i + c_j + e_ij,   cov(e_ij, e_ji) >= 0

with d_ij the difference of two backbones that were trained on corpus i and tested on corpus j.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Literal

import numpy as np

from sercore.errors import ProtocolError
from sercore.statistics.intervals import LEVEL
from sercore.statistics.posterior import ROPE
from sercore.statistics.verdicts import MIN_MODERATED
from sercore.statistics.verdicts import CorporaComparison
from sercore.statistics.verdicts import Differences
from sercore.statistics.verdicts import judge
from sercore.statistics.verdicts import pairs_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

MAX_CORRELATION = 0.3
"""Above this correlation of train and test effects the node jackknife takes over."""


class CrossedDesign:
    """Which cells exist, and all that the estimates need to know about that.

    Args:
        present: bool (corpora, corpora), train first; the diagonal is ignored.

    Raises:
        ProtocolError: there are too few cells to separate rows, columns and noise.
    """

    def __init__(self, present: Mask) -> None:
        size = len(present)
        self.present = present & ~np.eye(size, dtype=bool)
        self.train, self.test = np.nonzero(self.present)
        rows = _indicators(self.train, size)
        columns = _indicators(self.test, size)
        both = np.concatenate([rows, columns], axis=1)
        rank = int(np.linalg.matrix_rank(both)) if len(rows) else 0
        self.n_cells = len(self.train)
        self.df_error = self.n_cells - rank
        self.df_rows = rank - int(self.present.any(axis=0).sum())
        self.df_columns = rank - int(self.present.any(axis=1).sum())
        if min(self.df_error, self.df_rows, self.df_columns) < 1:
            raise ProtocolError(
                f"{self.n_cells} out-of-domain cells are too few to compare backbones over corpora",
                hint="it takes three corpora with every cell between them; five or more are better",
            )
        self._off_both = np.eye(self.n_cells) - both @ np.linalg.pinv(both)
        self._off_rows = np.eye(self.n_cells) - rows @ np.linalg.pinv(rows)
        self._off_columns = np.eye(self.n_cells) - columns @ np.linalg.pinv(columns)
        # How often a variance component of rows (columns) stands in its mean square.
        self._in_rows = np.trace(rows.T @ self._off_columns @ rows) / self.df_rows
        self._in_columns = np.trace(columns.T @ self._off_rows @ columns) / self.df_columns
        self.weights = _row_mean_weights(self.present)[self.present]
        self._row_share = float(((rows.T @ self.weights) ** 2).sum())
        self._column_share = float(((columns.T @ self.weights) ** 2).sum())
        self._mirrored = _mirrored(self.train, self.test)

    def estimate(self, differences: Values) -> Differences:
        """Return the mean of row means of each difference, its variance and df.

        Mean squares by Henderson's method 3 (1953, doi:10.2307/3001853); the variance of the
        mean is a combination of them, with df after Satterthwaite, not below the smaller df of
        rows and columns. It is not below the variance that cells without row and column effects
        give. The covariance of cell (i, j) with cell (j, i) is added where it is positive.

        Args:
            differences: float64 (cells, pairs), in the order of `train` and `test`.
        """
        mean = self.weights @ differences
        residual = self._off_both @ differences
        squares = (residual**2).sum(axis=0)
        error = squares / self.df_error
        rows = (((self._off_columns @ differences) ** 2).sum(axis=0) - squares) / self.df_rows
        columns = (((self._off_rows @ differences) ** 2).sum(axis=0) - squares) / self.df_columns
        own = float((self.weights**2).sum())
        of_rows, of_columns = self._row_share / self._in_rows, self._column_share / self._in_columns
        of_error = own - of_rows - of_columns
        variance = np.maximum(of_rows * rows + of_columns * columns + of_error * error, own * error)
        variance += self._reciprocal(residual)
        spread = (
            (of_rows * rows) ** 2 / self.df_rows
            + (of_columns * columns) ** 2 / self.df_columns
            + (of_error * error) ** 2 / self.df_error
        )
        lowest = float(min(self.df_rows, self.df_columns))
        df = np.divide(variance**2, spread, out=np.full(len(mean), lowest), where=spread > 0)
        return Differences(mean=mean, variance=variance, df=np.clip(df, lowest, self.n_cells))

    def _reciprocal(self, residual: Values) -> Values:
        """Return what the covariance of mirrored cells adds to the variance of the mean."""
        if not len(self._mirrored):
            return np.zeros(residual.shape[1])
        one, other = self._mirrored.T
        covariance = (residual[one] * residual[other]).mean(axis=0)
        share = float((self.weights[one] * self.weights[other]).sum())
        return np.asarray(np.maximum(covariance, 0.0) * share)


def compare_over_other_corpora(
    names: Sequence[str],
    matrices: Values,
    *,
    method: Literal["auto", "crossed", "node-jackknife"] = "auto",
    rope: float = ROPE,
    level: float = LEVEL,
) -> CorporaComparison:
    """Compare backbones; the scope is other corpora like these, as train and as test corpora.

    Only cells that all backbones have are used. Simulations cover 5 to 13 corpora.

    Args:
        names: backbones.
        matrices: float64 (backbones, train corpora, test corpora), higher is better; NaN is
            missing, the diagonal is ignored.
        method: ``auto`` takes the crossed model, and the node jackknife where a corpus's effects
            as train and as test corpus correlate above 0.3, since the crossed model assumes that
            they do not. With fewer than four backbones the correlation is too uncertain to decide.
        rope: half the width of the region of practical equivalence.
        level: of intervals, and one less the family-wise error.

    Raises:
        ProtocolError: there are fewer than two backbones, or too few cells in common.
    """
    if len(names) < 2:
        raise ProtocolError(f"a comparison needs two backbones, not {len(names)}")
    design = _design(*_key(np.asarray(np.isfinite(matrices).all(axis=0))))
    pairs = pairs_of(len(names))
    cells = matrices[:, design.train, design.test]
    differences = (cells[pairs[:, 0]] - cells[pairs[:, 1]]).T
    correlation = train_test_correlation(design, differences)
    if method == "auto":
        method = _method(correlation, len(names))
    estimate = design.estimate if method == "crossed" else _NodeJackknife(design).estimate
    connected = design.present | design.present.T
    return judge(
        names,
        cells @ design.weights,
        estimate(differences),
        n_corpora=int(connected.any(axis=0).sum()),
        n_cells=design.n_cells,
        method=method,
        correlation=correlation,
        rope=rope,
        level=level,
    )


def compare_by_corpus(
    names: Sequence[str], values: Values, *, rope: float = ROPE, level: float = LEVEL
) -> CorporaComparison:
    """Compare backbones by one score per corpus (in domain), the corpora being a sample.

    The differences of a pair are independent over corpora: V = var(d) / n with n - 1 df,
    moderated and judged as in `compare_over_other_corpora`. Not simulated.

    Args:
        names: backbones.
        values: float64 (corpora, backbones), higher is better; corpora with NaN are left out.
        rope: half the width of the region of practical equivalence.
        level: of intervals, and one less the family-wise error.

    Raises:
        ProtocolError: there are fewer than two backbones, or three corpora in common.
    """
    whole = values[np.isfinite(values).all(axis=1)]
    n_corpora = len(whole)
    if len(names) < 2 or n_corpora < 3:
        raise ProtocolError(
            "a comparison needs two backbones and three corpora that both have, not "
            f"{len(names)} and {n_corpora}"
        )
    pairs = pairs_of(len(names))
    differences = whole[:, pairs[:, 0]] - whole[:, pairs[:, 1]]
    return judge(
        names,
        whole.mean(axis=0),
        Differences(
            mean=differences.mean(axis=0),
            variance=differences.var(axis=0, ddof=1) / n_corpora,
            df=np.full(len(pairs), n_corpora - 1.0),
        ),
        n_corpora=n_corpora,
        n_cells=n_corpora,
        method="one-score-per-corpus",
        rope=rope,
        level=level,
    )


def train_test_correlation(design: CrossedDesign, differences: Values) -> float | None:
    """Return the correlation of a corpus's effects as train and as test corpus, over all pairs.

    Covariances by moments: two distinct cells that share corpus i as train and as test corpus
    estimate cov(r_i, c_i); two of one row var(r), two of one column var(c). None where either
    variance is not positive.

    Args:
        design: which cells exist.
        differences: float64 (cells, pairs).
    """
    size = len(design.present)
    centred = np.zeros((size, size, differences.shape[1]))
    centred[design.train, design.test] = differences - design.weights @ differences
    there = design.present.astype(np.float64)
    rows, columns = centred.sum(axis=1), centred.sum(axis=0)
    n_rows, n_columns = there.sum(axis=1), there.sum(axis=0)
    mirrored = centred * centred.transpose(1, 0, 2)
    var_rows = ((rows**2).sum() - (centred**2).sum()) / (n_rows**2 - n_rows).sum()
    var_columns = ((columns**2).sum() - (centred**2).sum()) / (n_columns**2 - n_columns).sum()
    shared = (rows * columns).sum() - mirrored.sum()
    covariance = shared / ((n_rows * n_columns).sum() - (there * there.T).sum())
    if not (var_rows > 0 and var_columns > 0):
        return None
    return float(np.clip(covariance / np.sqrt(var_rows * var_columns), -1.0, 1.0))


class _NodeJackknife:
    """Leave out one corpus at a time, as train and as test corpus.

        V = (n - 1) / n * sum_j (delta_(j) - mean delta_(.))^2,  df = n - 1

    Source: dyadic data, Aronow, Samii, Assenova (2015), doi:10.1093/pan/mpv018.
    """

    def __init__(self, design: CrossedDesign) -> None:
        present = design.present
        nodes = np.flatnonzero(present.any(axis=0) | present.any(axis=1))
        self._whole = design.weights
        self._weights = np.array([_without_node(present, int(node))[present] for node in nodes])

    def estimate(self, differences: Values) -> Differences:
        """Return the mean of row means of each difference, its variance and df."""
        without = self._weights @ differences
        n = len(without)
        variance = (n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0)
        df = np.full(differences.shape[1], n - 1.0)
        return Differences(mean=self._whole @ differences, variance=variance, df=df)


def _method(correlation: float | None, n_backbones: int) -> Literal["crossed", "node-jackknife"]:
    if correlation is None or n_backbones < MIN_MODERATED:
        return "crossed"
    return "node-jackknife" if correlation > MAX_CORRELATION else "crossed"


def _without_node(present: Mask, node: int) -> Values:
    rest = present.copy()
    rest[node] = False
    rest[:, node] = False
    return _row_mean_weights(rest)


def _row_mean_weights(present: Mask) -> Values:
    """Return (corpora, corpora): the weight of each cell in the mean of row means."""
    in_row = present.sum(axis=1, keepdims=True)
    rows = max(int((in_row > 0).sum()), 1)
    return np.where(present, 1.0 / np.maximum(in_row, 1) / rows, 0.0)


def _indicators(codes: npt.NDArray[np.int64], size: int) -> Values:
    return np.asarray(codes[:, np.newaxis] == np.arange(size), dtype=np.float64)


def _mirrored(train: npt.NDArray[np.int64], test: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return (n, 2): the positions of cells (i, j) and (j, i), in both orders."""
    place = {pair: index for index, pair in enumerate(zip(train, test, strict=True))}
    found = [(index, place[j, i]) for (i, j), index in place.items() if (j, i) in place]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _key(present: Mask) -> tuple[bytes, int]:
    return present.tobytes(), len(present)


@lru_cache(maxsize=8)
def _design(present: bytes, size: int) -> CrossedDesign:
    return CrossedDesign(np.frombuffer(present, dtype=bool).reshape(size, size))
