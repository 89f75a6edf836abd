"""Simulations of "is A better than B" over train and test corpora, with known truth.

The variances of train corpora, test corpora and noise, and their covariance over backbones, are
those of the published matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.coverage_cells import gaussian_cell
from sercore.published import eligible_corpora
from sercore.published import published_matrices
from sercore.published import published_summaries
from sercore.published import table1
from sercore.results.reductions import reduce_values
from sercore.statistics.averages import MatrixLayout
from sercore.statistics.averages import seed_strata
from sercore.statistics.averages import speaker_strata
from sercore.statistics.averages import stratified_jackknife
from sercore.statistics.crossed import compare_over_other_corpora
from sercore.statistics.paired import judge_on_these_corpora
from sercore.statistics.verdicts import pairs_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.statistics.jackknife import CellEstimate
    from sercore.statistics.paired import PairedVerdict
    from sercore.statistics.verdicts import CorporaComparison

    Values = npt.NDArray[np.float64]

_NAMES = tuple(f"backbone {place}" for place in range(9))
AHEAD = 2
"""The backbone that is ahead in trials of power."""


@dataclass(frozen=True)
class Covariance:
    """Roots of the covariance over backbones of each source, and the mirrored share of noise."""

    train: Values
    test: Values
    noise: Values
    mirrored: float

    def of(self, size: int) -> Covariance:
        """Return that of the first backbones alone."""
        first = slice(0, size)
        train, test, noise = (root[first, first] for root in (self.train, self.test, self.noise))
        return Covariance(train=train, test=test, noise=noise, mirrored=self.mirrored)


def published_cells() -> tuple[tuple[str, ...], Values]:
    """Return the names and (backbones, train, test) of the published out-of-domain cells."""
    corpora = eligible_corpora()
    matrices = published_matrices()
    names = tuple(published_summaries())
    values = [
        [[np.nan if i == j else matrices[name][i, j] for j in corpora] for i in corpora]
        for name in names
    ]
    return tuple(name.rpartition("/")[2] for name in names), np.array(values)


@cache
def covariance(*, homogeneous: bool) -> Covariance:
    """Return the published covariance; or the same mean variances, equal for all pairs."""
    _, values = published_cells()
    size, n = values.shape[:2]
    off = ~np.eye(n, dtype=bool)
    centred = np.where(off, values - values[:, off].mean(axis=1)[:, None, None], 0.0)
    rows, columns = centred.sum(axis=2), centred.sum(axis=1)
    total = np.einsum("aij,bij->ab", centred, centred)
    pairs = n * (n - 1) * (n - 2)
    of_train = (rows @ rows.T - total) / pairs
    of_test = (columns @ columns.T - total) / pairs
    mirrored = np.einsum("aij,bji->ab", centred, centred) / (n * (n - 1))
    of_noise = total / (n * (n - 1)) - of_train - of_test
    # Only contrasts of backbones matter.
    centre = np.eye(size) - 1 / size
    parts = [centre @ part @ centre for part in (of_train, of_test, of_noise, mirrored)]
    positive = [_positive(part) for part in parts]
    share = float(np.clip(np.trace(positive[3]) / np.trace(positive[2]), 0, 0.6))
    if homogeneous:
        # The mean variance of a difference of two backbones is 2 trace / (size - 1).
        positive = [np.eye(size) * np.trace(part) / (size - 1) for part in positive]
    train, test, noise = (_root(part) for part in positive[:3])
    return Covariance(train=train, test=test, noise=noise, mirrored=share)


def _root(part: Values) -> Values:
    return np.asarray(np.linalg.cholesky(part + 1e-10 * np.eye(len(part))), dtype=np.float64)


def _positive(part: Values) -> Values:
    values, vectors = np.linalg.eigh((part + part.T) / 2)
    return np.asarray((vectors * np.maximum(values, 0)) @ vectors.T)


def simulate(
    rng: np.random.Generator, n: int, effects: Values, source: Covariance, shared: float = 0.0
) -> Values:
    """Return (backbones, train, test) of n corpora.

    Args:
        rng: the source of randomness.
        n: how many corpora.
        effects: (backbones,), true averages.
        source: variances.
        shared: the correlation of a corpus's effects as train and as test corpus.
    """
    size = len(effects)
    train = rng.normal(size=(n, size)) @ source.train.T
    test = rng.normal(size=(n, size)) @ source.test.T
    test = np.sqrt(1 - shared) * test + np.sqrt(shared) * train
    noise = rng.normal(size=(n, n, size)) @ source.noise.T
    upper = np.triu(np.ones((n, n)), 1)[..., np.newaxis]
    mirrored = upper * (rng.normal(size=(n, n, size)) @ source.noise.T)
    mirrored = mirrored + mirrored.transpose(1, 0, 2)
    noise = np.sqrt(1 - source.mirrored) * noise + np.sqrt(source.mirrored) * mirrored
    values = effects + train[:, np.newaxis] + test + noise
    return np.where(np.eye(n, dtype=bool), np.nan, np.moveaxis(values, -1, 0))


def family(
    number: int,
    *,
    n: int = 9,
    size: int = 9,
    homogeneous: bool = False,
    ahead: float = 0.0,
    shared: float = 0.0,
) -> Mapping[str, float]:
    """Return false findings, coverage and power of one simulated matrix of `size` backbones."""
    source = covariance(homogeneous=homogeneous).of(size)
    effects = np.zeros(len(source.train))
    effects[AHEAD] = ahead
    values = simulate(np.random.default_rng(number), n, effects, source, shared)
    names = [str(place) for place in range(len(effects))]
    found: dict[str, float] = {}
    for method in ("auto", "crossed"):
        comparison = compare_over_other_corpora(names, values, method=method)
        found |= {f"{name}, {method}": value for name, value in _seen(comparison, effects).items()}
        if method == "auto":
            found["node jackknife taken"] = float(comparison.method == "node-jackknife")
    return found


def _seen(comparison: CorporaComparison, effects: Values) -> dict[str, float]:
    truth = [effects[int(pair.first)] - effects[int(pair.second)] for pair in comparison.pairs]
    pairs = list(zip(comparison.pairs, truth, strict=True))
    real = [(pair, value) for pair, value in pairs if value]
    held = [pair.low <= value <= pair.high for pair, value in pairs]
    found = {
        "false finding": float(any(pair.separable for pair, value in pairs if not value)),
        "coverage": float(np.mean(held)),
    }
    if real:
        right = [pair.separable and pair.difference * value > 0 for pair, value in real]
        found["power"] = float(np.mean(right))
    return found


def these_corpora(number: int, *, ahead: float = 0.0) -> Mapping[str, float]:
    """Return false findings, equivalence and power on exactly these cells: nine backbones.

    Speakers are harder or easier for all backbones and for one alone; training has three seeds.
    """
    corpora = eligible_corpora()
    layout = MatrixLayout(backbones=_NAMES, in_domain=corpora, out_of_domain=corpora)
    rng = np.random.default_rng(number)
    speakers = {row["id"]: min(row["speakers"], 68) for row in table1()}
    row_seeds = rng.normal(0, 0.03, (9, 9, 3))
    values = np.full(layout.size, np.nan)
    cells: dict[int, tuple[str, CellEstimate]] = {}
    seeds: dict[int, tuple[str, Mapping[int, float]]] = {}
    for test in corpora:
        shared = rng.normal(0, 0.06, speakers[test])
        for b, backbone in enumerate(_NAMES):
            for i, train in enumerate(corpora):
                effect = shared + rng.normal(0, 0.08, speakers[test])
                trained = row_seeds[b, i] + rng.normal(0, 0.015, 3)
                base = 0.4 + ahead * (b == AHEAD)
                estimate = gaussian_cell(base + effect[:, np.newaxis] + trained)
                position = layout.position(backbone, train, test)
                values[position] = estimate.value
                cells[position] = (test, estimate)
                seeds[position] = (train, dict(enumerate(estimate.by_seed.tolist())))
    first, second = pairs_of(9).T

    def differences(flat: Values) -> Values:
        means = reduce_values(*layout.unpack(flat)).out_of_domain_mean
        return np.asarray(means[..., first] - means[..., second])

    strata = [*speaker_strata(cells), *seed_strata(seeds)]
    intervals = stratified_jackknife(differences, values, strata)
    named = [(_NAMES[one], _NAMES[other]) for one, other in zip(first, second, strict=True)]
    verdicts = judge_on_these_corpora(dict(zip(named, intervals, strict=True)), n_seeds=3)
    equal = [verdict for verdict in verdicts if not ahead or _NAMES[AHEAD] not in _both(verdict)]
    other = [verdict for verdict in verdicts if _NAMES[AHEAD] in _both(verdict)]
    return {
        "false finding": float(any(verdict.differs for verdict in equal)),
        "coverage": float(
            np.mean([verdict.interval.low <= 0 <= verdict.interval.high for verdict in equal])
        ),
        "equivalent": float(np.mean([verdict.equivalent is True for verdict in equal])),
        "power": float(np.mean([verdict.differs is True for verdict in other])),
    }


def _both(verdict: PairedVerdict) -> tuple[str, str]:
    return verdict.first, verdict.second


def dominance(number: int, *, noise: float) -> Mapping[str, float]:
    """Return how many of 36 pairs are separable: nine backbones .05 apart in every cell."""
    rng = np.random.default_rng(number)
    values = np.arange(9)[:, None, None] * 0.05 + rng.normal(0, noise, (9, 9, 9))
    comparison = compare_over_other_corpora([str(place) for place in range(9)], values)
    return {"pairs": float(comparison.separable)}


def published(number: int) -> Mapping[str, float]:
    """Return what the published matrices show."""
    del number
    names, values = published_cells()
    comparison = compare_over_other_corpora(names, values)
    whisper = [
        pair
        for pair in comparison.pairs
        if pair.first.startswith("whisper") and pair.second.startswith("whisper")
    ]
    return {
        "pairs": float(comparison.separable),
        "whisper pairs": float(sum(pair.separable for pair in whisper)),
        "smallest difference": comparison.smallest_difference,
        "correlation": float(comparison.train_test_correlation or np.nan),
    }
