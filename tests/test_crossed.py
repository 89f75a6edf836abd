"""Backbones over other corpora like these, against published figures and other libraries."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

from sercore.errors import ProtocolError
from sercore.published import eligible_corpora
from sercore.published import published_matrices
from sercore.published import published_summaries
from sercore.statistics.crossed import CrossedDesign
from sercore.statistics.crossed import compare_by_corpus
from sercore.statistics.crossed import compare_over_other_corpora
from sercore.statistics.crossed import train_test_correlation
from sercore.statistics.posterior import probabilities
from sercore.statistics.sentences import on_other_corpora
from sercore.statistics.sentences import smallest_difference
from sercore.statistics.ties import tie_letters
from sercore.statistics.ties import tukey_quantile

OFF = ~np.eye(9, dtype=bool)


@pytest.fixture(scope="module")
def published():
    corpora, matrices = eligible_corpora(), published_matrices()
    names = [name.rpartition("/")[2] for name in published_summaries()]
    values = [
        [[np.nan if i == j else cells[i, j] for j in corpora] for i in corpora]
        for cells in (matrices[name] for name in published_summaries())
    ]
    return names, np.array(values)


def simulated(seed, n=9, n_backbones=4, train=0.02, test=0.02, noise=0.05):
    rng = np.random.default_rng(seed)
    values = (
        rng.normal(0, train, (n_backbones, n, 1))
        + rng.normal(0, test, (n_backbones, 1, n))
        + rng.normal(0, noise, (n_backbones, n, n))
    )
    return np.where(np.eye(n, dtype=bool), np.nan, values)


def names_of(values):
    return [f"b{place}" for place in range(len(values))]


def pair_of(comparison, first, second):
    (pair,) = [pair for pair in comparison.pairs if {pair.first, pair.second} == {first, second}]
    return pair


def test_the_published_matrices_give_six_pairs_and_tie_the_whisper_sizes(published):
    names, values = published

    found = compare_over_other_corpora(names, values)

    assert found.method == "crossed"
    assert (found.n_corpora, found.n_cells, len(found.pairs)) == (9, 72, 36)
    apart = {frozenset((pair.first, pair.second)) for pair in found.pairs if pair.separable}
    large, mert = "whisper-large", "MERT-v1-330M"
    assert apart == {
        frozenset(pair)
        for pair in (
            (large, "w2v-bert-2.0"),
            (large, "larger_clap_music_and_speech"),
            (large, mert),
            ("whisper-large-v2", mert),
            ("whisper-large-v3", mert),
            ("whisper-medium", mert),
        )
    }
    assert found.smallest_difference == pytest.approx(0.048, abs=0.001)
    assert abs(found.train_test_correlation) < 0.1
    letters = {backbone.name: backbone.letters for backbone in found.backbones}
    sizes = [set(letters[name]) for name in letters if name.startswith("whisper")]
    assert set.intersection(*sizes)
    assert found.backbones[0].name == large


def test_the_sentence_of_two_published_backbones(published):
    found = compare_over_other_corpora(*published)

    said = on_other_corpora(found, pair_of(found, "whisper-large", "wavlm-large"))

    assert said == (
        "On other corpora like these, whisper-large scores higher than wavlm-large by +0.037 "
        "[+0.008, +0.066] (9 corpora as train and test); probability that whisper-large is better "
        ".99, by more than 0.01 .95, within 0.01 .05. Judged together with all 36 pairs they are "
        "not separable (same letter)."
    )
    assert "from a difference of 0.048 on" in smallest_difference(found)


@pytest.mark.filterwarnings("ignore")  # statsmodels warns where a variance is near zero
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("hubert-large-ll60k", "w2v-bert-2.0"),
        ("hubert-large-ll60k", "whisper-large-v2"),
        ("larger_clap_music_and_speech", "whisper-medium"),
        ("whisper-large-v2", "whisper-large-v3"),
    ],
)
def test_standard_errors_agree_with_restricted_maximum_likelihood(published, first, second):
    """MixedLM with crossed train and test effects; two backbones are not moderated."""
    formula = pytest.importorskip("statsmodels.formula.api")
    pd = pytest.importorskip("pandas")
    names, values = published
    pair = values[[names.index(first), names.index(second)]]
    train, test = np.nonzero(OFF)
    frame = pd.DataFrame({"d": (pair[0] - pair[1])[OFF], "train": train, "test": test, "all": 1})
    effects = {"r": "0 + C(train)", "c": "0 + C(test)"}
    fitted = formula.mixedlm("d ~ 1", frame, groups="all", vc_formula=effects).fit(reml=True)

    (found,) = compare_over_other_corpora([first, second], pair).pairs

    assert found.difference == pytest.approx(float(fitted.params.iloc[0]), abs=1e-3)
    assert found.standard_error == pytest.approx(float(fitted.bse.iloc[0]), rel=0.1)


def test_mean_squares_of_a_matrix_with_every_cell():
    """The variance by the closed form of a full matrix without diagonal."""
    values = simulated(1, n_backbones=2)
    n, differences = 9, (values[0] - values[1])[OFF]
    train, test = np.nonzero(OFF)
    dummies = np.concatenate([np.eye(n)[train], np.eye(n)[test]], axis=1)

    def left(columns):
        fitted = columns @ np.linalg.lstsq(columns, differences, rcond=None)[0]
        return ((differences - fitted) ** 2).sum()

    error = left(dummies) / 55
    rows = (left(dummies[:, n:]) - left(dummies)) / 8
    columns = (left(dummies[:, :n]) - left(dummies)) / 8
    k = n * (n - 2) / (n - 1)
    expected = (rows + columns - 2 * error) / (n * k) + error / 72
    residual = np.zeros((n, n))
    residual[OFF] = differences - dummies @ np.linalg.lstsq(dummies, differences, rcond=None)[0]
    mirrored = max((residual * residual.T)[OFF].mean(), 0) / 72

    found = CrossedDesign(OFF).estimate(differences[:, np.newaxis])

    assert found.mean[0] == pytest.approx(differences.mean())
    assert found.variance[0] == pytest.approx(max(expected, error / 72) + mirrored)
    assert 8 <= found.df[0] <= 72


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.01])
def test_perfect_dominance_separates_all_pairs(noise):
    values = np.arange(9)[:, None, None] * 0.05 + simulated(
        2, n_backbones=9, train=0, test=0, noise=noise
    )

    found = compare_over_other_corpora(names_of(values), values)

    assert found.separable == 36
    assert [backbone.letters for backbone in found.backbones] == list("abcdefghi")
    assert [backbone.name for backbone in found.backbones] == [f"b{8 - k}" for k in range(9)]
    assert all(pair.better < 0.01 for pair in found.pairs)


def test_a_backbone_ties_with_itself():
    values = simulated(3, n_backbones=2)[[0, 0, 1]]

    found = pair_of(compare_over_other_corpora(["a", "copy", "b"], values), "a", "copy")

    assert (found.difference, found.standard_error, found.low, found.high) == (0, 0, 0, 0)
    assert not found.separable
    assert found.within_rope == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_corpora_and_backbones_does_not_matter(seed):
    values = simulated(seed, n_backbones=5)
    rng = np.random.default_rng(seed)
    corpora, backbones = rng.permutation(9), rng.permutation(5)
    names = names_of(values)

    first = compare_over_other_corpora(names, values)
    second = compare_over_other_corpora(
        [names[place] for place in backbones], values[backbones][:, corpora][:, :, corpora]
    )

    for pair in first.pairs:
        other = pair_of(second, pair.first, pair.second)
        sign = 1 if other.first == pair.first else -1
        assert sign * other.difference == pytest.approx(pair.difference)
        assert other.standard_error == pytest.approx(pair.standard_error)
        assert other.separable == pair.separable


def test_cells_that_one_backbone_lacks_are_left_out_for_all():
    values = simulated(4)
    values[2, 0, 1:4] = np.nan

    found = compare_over_other_corpora(names_of(values), values)

    assert found.n_cells == 69
    without = values.copy()
    without[:, 0, 1:4] = np.nan
    assert found == compare_over_other_corpora(names_of(values), without)
    rows = [np.nanmean(without[0, i]) - np.nanmean(without[1, i]) for i in range(9)]
    assert pair_of(found, "b0", "b1").difference == pytest.approx(np.mean(rows))


def test_effects_of_a_corpus_that_correlate_lead_to_the_node_jackknife():
    rng = np.random.default_rng(5)
    node = rng.normal(0, 0.05, (4, 9))
    values = node[:, :, None] + node[:, None] + rng.normal(0, 0.02, (4, 9, 9))
    values = np.where(OFF, values, np.nan)

    found = compare_over_other_corpora(names_of(values), values)

    assert found.train_test_correlation > 0.8
    assert found.method == "node-jackknife"
    forced = compare_over_other_corpora(names_of(values), values, method="crossed")
    assert np.mean([pair.standard_error for pair in found.pairs]) > np.mean(
        [pair.standard_error for pair in forced.pairs]
    )


def test_the_node_jackknife_leaves_out_a_corpus_on_both_sides():
    values = simulated(6, n_backbones=2)
    differences = values[0] - values[1]
    without = []
    for node in range(9):
        rest = np.delete(np.delete(differences, node, 0), node, 1)
        without.append(np.nanmean(rest))

    found = compare_over_other_corpora(["a", "b"], values, method="node-jackknife").pairs[0]

    expected = 8 / 9 * ((without - np.mean(without)) ** 2).sum()
    assert found.standard_error**2 == pytest.approx(expected)
    assert found.df == 8


def test_the_correlation_of_simulated_effects_is_found():
    rng = np.random.default_rng(7)
    design = CrossedDesign(~np.eye(60, dtype=bool))
    for wanted in (-0.5, 0.0, 0.7):
        train = rng.normal(size=(60, 30))
        test = wanted * train + np.sqrt(1 - wanted**2) * rng.normal(size=(60, 30))
        cells = (train[:, None] + test + rng.normal(size=(60, 60, 30)))[design.train, design.test]
        assert train_test_correlation(design, cells) == pytest.approx(wanted, abs=0.06)
    still = CrossedDesign(OFF)
    assert train_test_correlation(still, np.zeros((72, 1))) is None


def test_one_score_per_corpus_is_a_t_test():
    rng = np.random.default_rng(8)
    values = rng.uniform(size=(19, 2))
    values[3, 1] = np.nan

    found = compare_by_corpus(["a", "b"], values).pairs[0]

    kept = np.delete(values, 3, 0)
    theirs = stats.ttest_rel(kept[:, 0], kept[:, 1]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    # Two groups: the studentised range is Student's t.
    assert (found.joint_low, found.joint_high) == pytest.approx((theirs.low, theirs.high), abs=1e-3)


@pytest.mark.parametrize(("n_groups", "df"), [(2, 8.0), (3, 12.0), (9, 17.0), (9, 25.5)])
def test_interpolated_quantiles_are_those_of_scipy(n_groups, df):
    exact = stats.studentized_range.ppf(0.95, n_groups, df) / np.sqrt(2)

    assert tukey_quantile(n_groups, np.array([df]), 0.95)[0] == pytest.approx(exact, rel=2e-3)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 7).flatmap(lambda n: st.tuples(
    st.just(n), st.lists(st.booleans(), min_size=n * n, max_size=n * n))))  # fmt: skip
def test_two_groups_share_a_letter_exactly_where_they_do_not_differ(case):
    n, flags = case
    upper = np.triu(np.array(flags).reshape(n, n), 1)
    differs = upper | upper.T

    letters = tie_letters(differs)

    for first, second in itertools.combinations(range(n), 2):
        shared = set(letters[first]) & set(letters[second])
        assert bool(shared) != differs[first, second]
    assert all(letters)


def test_letters_go_from_the_best_on():
    differs = np.zeros((4, 4), dtype=bool)
    differs[0, 2] = differs[0, 3] = differs[2, 0] = differs[3, 0] = True

    assert tie_letters(differs) == ["a", "ab", "b", "b"]


def test_probabilities_shrink_where_backbones_do_not_differ():
    variances, df = np.full(1, 0.02**2), np.full(1, 100.0)
    alike = probabilities(np.zeros(9), np.array([0.02]), variances, df, noise=0.02**2)
    spread = probabilities(
        np.linspace(-0.2, 0.2, 9), np.array([0.02]), variances, df, noise=0.02**2
    )

    flat = stats.t.cdf(1.0, 100)
    assert 0.5 < alike.better[0] < spread.better[0] < flat
    assert spread.better[0] == pytest.approx(flat, abs=0.02)
    for found in (alike, spread):
        whole = found.better_by_rope + found.within_rope + found.worse_by_rope
        assert whole[0] == pytest.approx(1)


def test_probabilities_are_calibrated_where_effects_are_as_assumed():
    """What is said with a probability of .9 is true in about 90 % of simulations."""
    rng = np.random.default_rng(9)
    said, true = [], []
    for _ in range(800):
        effects = rng.normal(0, 0.04, 9)
        observed = effects + rng.normal(0, 0.015, 9)
        first, second = np.triu_indices(9, 1)
        found = probabilities(
            observed,
            observed[first] - observed[second],
            np.full(36, 2 * 0.015**2),
            np.full(36, 200.0),
            noise=2 * 0.015**2,
        )
        said.append(found.better_by_rope)
        true.append(effects[first] - effects[second] > 0.01)
    said, true = np.concatenate(said), np.concatenate(true)
    for low, high in ((0.02, 0.25), (0.25, 0.75), (0.75, 0.98), (0.98, 1.0)):
        inside = (said > low) & (said <= high)
        assert true[inside].mean() == pytest.approx(said[inside].mean(), abs=0.03)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ProtocolError, match="two backbones"):
        compare_over_other_corpora(["a"], simulated(1, n_backbones=1))
    with pytest.raises(ProtocolError, match="2 out-of-domain cells are too few"):
        compare_over_other_corpora(["a", "b"], simulated(1, n=2, n_backbones=2))
    with pytest.raises(ProtocolError, match="0 out-of-domain cells are too few"):
        compare_over_other_corpora(["a", "b"], np.full((2, 5, 5), np.nan))
    with pytest.raises(ProtocolError, match="three corpora"):
        compare_by_corpus(["a", "b"], np.zeros((2, 2)))
    assert compare_over_other_corpora(["a", "b"], simulated(1, n=3, n_backbones=2)).n_corpora == 3
