"""Seeds as a second variance component."""

import math

import numpy as np
import pytest
from scipy.special import digamma
from scipy.special import polygamma

from sercore.statistics.intervals import Note
from sercore.statistics.jackknife import CellEstimate
from sercore.statistics.seeds import cell_intervals
from sercore.statistics.seeds import fit_prior
from sercore.statistics.seeds import moderate
from sercore.statistics.seeds import seed_components


def estimate(by_seed, n_speakers=10, spread=0.02, seed=0):
    rng = np.random.default_rng(seed)
    value = float(np.mean(by_seed))
    return CellEstimate(
        value=value,
        by_seed=np.asarray(by_seed, dtype=float),
        without=value + rng.normal(0, spread / (n_speakers - 1), n_speakers),
        sizes=np.full(n_speakers, 40.0),
        unit_ids=np.arange(n_speakers),
        unit="speaker",
    )


@pytest.mark.parametrize(("prior_df", "prior_variance"), [(6.0, 0.0025), (20.0, 1.0)])
def test_the_prior_of_simulated_variances_is_found(prior_df, prior_variance):
    rng = np.random.default_rng(1)
    true = prior_df * prior_variance / rng.chisquare(prior_df, 400_000)
    observed = true * rng.chisquare(2, 400_000) / 2

    found = fit_prior(observed, 2.0)

    assert found.df == pytest.approx(prior_df, rel=0.1)
    assert found.variance == pytest.approx(prior_variance, rel=0.05)


def test_equal_variances_have_a_prior_without_spread():
    rng = np.random.default_rng(2)
    found = fit_prior(0.3 * rng.chisquare(5, 30) / 5, 5.0)
    few = fit_prior(np.full(5, 0.3), 5.0)

    assert found.df > 20
    assert few.df == math.inf
    expected = 0.3 * np.exp(np.log(2.5) - digamma(2.5))
    assert few.variance == pytest.approx(expected)


def test_moments_of_the_fit_agree_with_the_formula():
    variances = np.array([0.5, 1.0, 4.0, 0.1, 9.0, 2.0])
    found = fit_prior(variances, 3.0)

    logs = np.log(variances) - digamma(1.5) + np.log(1.5)
    assert polygamma(1, found.df / 2) == pytest.approx(logs.var(ddof=1) - polygamma(1, 1.5))
    assert np.log(found.variance) == pytest.approx(
        logs.mean() + digamma(found.df / 2) - np.log(found.df / 2)
    )


def test_moderation_pulls_towards_the_prior_and_never_past_it():
    rng = np.random.default_rng(3)
    variances = rng.chisquare(2, 50) / 2
    prior = fit_prior(variances, 2.0)

    shrunk, df = moderate(variances, np.full(50, 2.0), max_df=100.0)

    assert (np.abs(shrunk - prior.variance) <= np.abs(variances - prior.variance) + 1e-12).all()
    assert (np.argsort(shrunk) == np.argsort(variances)).all()
    assert (df > 2).all()
    assert (df <= 100).all()


def test_variances_of_zero_do_not_break_the_fit():
    rest = np.array([0.2, 1.0, 2.0, 3.0, 1.5])
    assert fit_prior(np.append(rest, 0.0), 2.0) == fit_prior(rest, 2.0)
    assert fit_prior(np.append(rest, 1e-34), 2.0) == fit_prior(rest, 2.0)
    assert fit_prior(np.zeros(5), 2.0) is None
    shrunk, df = moderate(np.zeros(5), np.full(5, 2.0))
    assert not shrunk.any()
    assert (df == 2).all()


def test_one_seed_has_no_seed_component_and_says_so():
    (found,) = cell_intervals([estimate([0.5])])

    assert found.notes == (Note.ONE_PROBE,)
    assert seed_components([np.array([0.5])]) == [None]


def test_few_cells_use_their_own_variance():
    scores = [0.4, 0.5, 0.7]
    single = estimate(scores)
    speakers = single.component

    (found,) = cell_intervals([single])

    own = np.var(scores, ddof=1) / 3
    total = speakers.variance + own
    assert found.standard_error**2 == pytest.approx(total)
    assert found.df == pytest.approx(total**2 / (speakers.variance**2 / 9 + own**2 / 2))
    assert found.notes == ()


def test_many_cells_borrow_from_each_other():
    rng = np.random.default_rng(4)
    cells = [estimate(0.5 + rng.normal(0, 0.05, 3), seed=number) for number in range(60)]
    quiet, loud = estimate([0.5, 0.5, 0.5]), estimate([0.1, 0.5, 0.9])

    found = cell_intervals([*cells, quiet, loud])

    assert found[-2].standard_error > cell_intervals([quiet])[0].standard_error
    assert found[-1].standard_error < cell_intervals([loud])[0].standard_error
    alone = [cell_intervals([cell])[0] for cell in cells]
    together = cell_intervals(cells)
    assert np.mean([each.df for each in together]) > 2 * np.mean([each.df for each in alone])


def test_speaker_disjoint_folds_widen_the_share_of_the_speakers():
    cell = estimate([0.5, 0.5, 0.5])

    plain, wider = (cell_intervals([cell], folds=folds)[0] for folds in (None, [5]))

    assert wider.standard_error == pytest.approx(plain.standard_error * math.sqrt(5 / 4))


def test_seed_noise_is_in_the_interval():
    still, moving = estimate([0.5, 0.5, 0.5]), estimate([0.4, 0.5, 0.6])

    narrow, wide = (cell_intervals([cell])[0] for cell in (still, moving))

    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
