"""Verdicts on these corpora, the classical rank tests, and verdicts in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

from sercore.errors import ProtocolError
from sercore.statistics.crossed import compare_by_corpus
from sercore.statistics.intervals import Component
from sercore.statistics.intervals import t_interval
from sercore.statistics.paired import holm
from sercore.statistics.paired import judge_on_these_corpora
from sercore.statistics.paired import p_of
from sercore.statistics.ranks import compare_over_corpora
from sercore.statistics.ranks import corpora_needed
from sercore.statistics.ranks import nemenyi
from sercore.statistics.ranks import wilcoxon_warning
from sercore.statistics.sentences import on_other_corpora
from sercore.statistics.sentences import on_these_corpora


def difference(value, error, df=20.0):
    return t_interval(value, Component(variance=error**2, df=df))


def test_p_is_that_of_the_t_test():
    scores = np.array([0.1, 0.3, -0.1, 0.2, 0.25])
    found = difference(scores.mean(), scores.std(ddof=1) / np.sqrt(5), df=4)

    assert p_of(found) == pytest.approx(stats.ttest_1samp(scores, 0).pvalue)
    assert p_of(difference(0.0, 0.0)) == 1
    assert p_of(difference(0.1, 0.0)) == 0


def test_pairs_are_corrected_together_and_equivalence_is_shown():
    verdicts = judge_on_these_corpora(
        {
            ("a", "b"): difference(0.05, 0.005),
            ("a", "c"): difference(0.005, 0.002),
            ("b", "c"): difference(0.0, 0.02),
        },
        n_seeds=3,
    )

    assert [verdict.differs for verdict in verdicts] == [True, True, False]
    assert [verdict.equivalent for verdict in verdicts] == [False, True, False]
    assert [verdict.p_holm for verdict in verdicts] == holm([verdict.p for verdict in verdicts])


def test_the_margin_of_equivalence_is_that_of_two_one_sided_tests():
    error, df = 0.004, 15.0
    edge = 0.01 - stats.t.ppf(0.95, df) * error
    pairs = {
        ("a", "b"): difference(edge - 1e-6, error, df),
        ("a", "c"): difference(edge + 1e-6, error, df),
    }

    verdicts = judge_on_these_corpora(pairs, n_seeds=3)

    assert [verdict.equivalent for verdict in verdicts] == [True, False]


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_few_seeds_give_no_verdict(n_seeds):
    (verdict,) = judge_on_these_corpora({("a", "b"): difference(0.5, 0.001)}, n_seeds=n_seeds)

    assert verdict.differs is None
    assert verdict.equivalent is None
    assert "too few seeds for a verdict" in on_these_corpora(verdict, n_cells=72, rope=0.01)


def test_sentences_on_these_corpora():
    first, second = judge_on_these_corpora(
        {("a", "b"): difference(0.05, 0.005), ("c", "d"): difference(0.001, 0.002)}, n_seeds=3
    )

    assert on_these_corpora(first, n_cells=72, rope=0.01) == (
        "On these 72 cells, a minus b is +0.050 [+0.040, +0.060]; they differ (p = 0.000 after "
        "Holm)."
    )
    assert on_these_corpora(second, n_cells=72, rope=0.01).endswith(
        "no difference is shown (p = 0.623 after Holm), and it is practically zero (within 0.01)."
    )


def test_a_sentence_names_the_better_backbone_first():
    values = np.random.default_rng(0).normal(0, 0.01, (10, 2)) + np.array([0.3, 0.5])
    found = compare_by_corpus(["weak", "strong"], values)

    said = on_other_corpora(found, found.pairs[0])

    assert said.startswith("On other corpora like these, strong scores higher than weak by +0.")
    assert "(10 corpora); probability that strong is better over .99" in said
    assert said.endswith("They are separable (no common letter).")


def test_holm_and_nemenyi_agree_with_scikit_posthocs():
    posthocs = pytest.importorskip("scikit_posthocs")
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(12, 4)) + np.array([0.0, 0.1, 0.3, 0.35])
    names = ("a", "b", "c", "d")

    found = compare_over_corpora(names, values)

    theirs = posthocs.posthoc_nemenyi_friedman(values).to_numpy()
    long = {"v": values.T.reshape(-1), "g": np.repeat(names, 12)}
    import pandas as pd

    signed = posthocs.posthoc_wilcoxon(
        pd.DataFrame(long), val_col="v", group_col="g", p_adjust="holm", sort=False
    ).to_numpy()
    for pair in found.pairs:
        i, j = names.index(pair.first), names.index(pair.second)
        assert pair.nemenyi == pytest.approx(theirs[i, j], abs=1e-6)
        assert pair.wilcoxon == pytest.approx(signed[i, j], abs=1e-9)
        assert pair.difference == pytest.approx((values[:, i] - values[:, j]).mean())
    assert found.friedman == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)


def test_demsar_worked_example():
    """Demšar (2006), table 6: four classifiers on 14 data sets, critical difference 1.25."""
    assert nemenyi(3.143 - 1.893, 4, 14) == pytest.approx(0.05, abs=0.003)


def test_ranks_are_best_first_with_intervals_around_them():
    values = np.array([[0.1, 0.9, 0.5]] * 4 + [[0.1, 0.5, 0.9]])

    found = compare_over_corpora(("bad", "good", "middle"), values)

    assert [each.name for each in found.ranks] == ["good", "middle", "bad"]
    assert found.ranks[0].rank == pytest.approx(1.2)
    assert all(each.low <= each.rank <= each.high for each in found.ranks)
    assert found.ranks[2].low == found.ranks[2].high == 3


def test_two_backbones_have_no_friedman_and_equal_ones_no_difference():
    values = np.array([[0.5, 0.5], [0.6, 0.6], [0.7, 0.7]])

    found = compare_over_corpora(("a", "b"), values)

    assert found.friedman is None
    assert found.pairs[0].wilcoxon == 1.0
    assert found.pairs[0].nemenyi is None


def test_wilcoxon_says_how_many_corpora_it_needs():
    """With perfect dominance the smallest corrected p is just under 5 % from that number on."""
    assert corpora_needed(9) == 11
    for n, found in ((10, False), (11, True)):
        values = np.arange(9) * 0.05 + np.random.default_rng(0).normal(0, 0.001, (n, 9))
        least = min(pair.wilcoxon for pair in compare_over_corpora(list("abcdefghi"), values).pairs)
        assert (least <= 0.05) is found
    assert wilcoxon_warning(9, 11) is None
    assert wilcoxon_warning(9, 9) == (
        "Wilcoxon-Holm needs 11 corpora to find any difference between 9 backbones; there are 9."
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_and_never_reorders(p):
    corrected = holm(p)

    assert all(0 <= before <= after <= 1 for before, after in zip(p, corrected, strict=True))
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ProtocolError, match="two backbones and two corpora"):
        compare_over_corpora(("a",), np.zeros((3, 1)))
    with pytest.raises(ProtocolError, match="every backbone on every corpus"):
        compare_over_corpora(("a", "b"), np.array([[0.1, np.nan], [0.1, 0.2]]))
