"""Averages of cells and their differences: the stratified jackknife."""

import numpy as np
import pytest
from scipy import stats

from sercore.errors import ProtocolError
from sercore.evaluation.units import unit_counts
from sercore.results.reductions import reduce_values
from sercore.statistics.averages import MatrixLayout
from sercore.statistics.averages import Stratum
from sercore.statistics.averages import seed_strata
from sercore.statistics.averages import speaker_strata
from sercore.statistics.averages import stratified_jackknife
from sercore.statistics.intervals import Note
from sercore.statistics.jackknife import CellEstimate
from sercore.statistics.jackknife import estimate_cell

LAYOUT = MatrixLayout(
    backbones=("a", "b"), in_domain=("x", "y", "z"), out_of_domain=("x", "y", "z")
)


def mean(values):
    return values.mean(axis=-1, keepdims=True)


def both_averages(values):
    """In-domain mean, out-of-domain mean and weighted average of a, and of a minus b."""
    found = reduce_values(*LAYOUT.unpack(values))
    stacked = np.stack([found.in_domain_mean, found.out_of_domain_mean, found.weighted], axis=-1)
    return np.concatenate([stacked[..., 0, :], stacked[..., 0, :] - stacked[..., 1, :]], axis=-1)


def simulated(seed, *, n_speakers=8, same=False):
    """Every cell of two backbones over three corpora, by position."""
    rng = np.random.default_rng(seed)
    cells, values = {}, np.full(LAYOUT.size, np.nan)
    for test in LAYOUT.in_domain:
        speakers = np.repeat(np.arange(n_speakers), 15)
        labels = rng.integers(0, 4, len(speakers))
        hard = rng.uniform(0.2, 0.9, n_speakers)[speakers]
        for train in LAYOUT.in_domain:
            for backbone in LAYOUT.backbones:
                if backbone == "a" or not same:
                    right = rng.uniform(size=len(labels)) < hard
                    said = np.where(right, labels, rng.integers(0, 4, len(labels)))
                counts = unit_counts(labels, said, speakers, n_speakers, 4)
                position = LAYOUT.position(backbone, train, test)
                estimate = estimate_cell([[counts]])
                cells[position] = (test, estimate)
                values[position] = estimate.value
    if same:
        for test in LAYOUT.in_domain:
            for train in LAYOUT.in_domain:
                source = LAYOUT.position("a", train, test)
                target = LAYOUT.position("b", train, test)
                cells[target], values[target] = cells[source], values[source]
    return cells, values


def test_one_stratum_of_a_mean_is_the_textbook_t_interval():
    scores = np.array([0.2, 0.5, 0.4, 0.9, 0.6])
    without = ((scores.sum() - scores) / 4)[:, np.newaxis]
    stratum = Stratum(name="speakers of x", cells=np.array([0]), without=without, sizes=np.ones(5))

    (found,) = stratified_jackknife(mean, np.array([scores.mean()]), [stratum])

    theirs = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert found.bias == pytest.approx(0)


def test_strata_are_independent_and_a_cell_of_each_adds_a_quarter():
    first, second = np.array([0.1, 0.4, 0.6]), np.array([0.5, 0.7, 0.6, 0.9])
    strata = [
        Stratum(
            name=str(place),
            cells=np.array([place]),
            without=((scores.sum() - scores) / (len(scores) - 1))[:, np.newaxis],
            sizes=np.ones(len(scores)),
        )
        for place, scores in enumerate((first, second))
    ]

    (found,) = stratified_jackknife(mean, np.array([first.mean(), second.mean()]), strata)

    parts = first.var(ddof=1) / 3 / 4, second.var(ddof=1) / 4 / 4
    assert found.standard_error**2 == pytest.approx(sum(parts))
    assert found.df == pytest.approx(sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3))


def test_the_bias_of_a_squared_mean_is_taken_off():
    """The jackknife makes the square of a mean unbiased: mean^2 - s^2 / n."""
    scores = np.array([0.1, 0.5, 0.6, 0.9])
    without = ((scores.sum() - scores) / 3)[:, np.newaxis]
    stratum = Stratum(name="x", cells=np.array([0]), without=without, sizes=np.ones(4))

    (found,) = stratified_jackknife(lambda values: values**2, np.array([scores.mean()]), [stratum])

    assert found.value == scores.mean() ** 2
    assert found.centre == pytest.approx(scores.mean() ** 2 - scores.var(ddof=1) / 4)
    assert (found.low + found.high) / 2 == pytest.approx(found.centre)


def test_the_printed_averages_are_the_plain_arithmetic():
    cells, values = simulated(1)

    found = stratified_jackknife(both_averages, values, speaker_strata(cells))

    assert [each.value for each in found] == pytest.approx(both_averages(values).tolist())
    again = stratified_jackknife(both_averages, values, speaker_strata(cells))
    assert found == again


def test_a_difference_of_a_backbone_with_itself_has_no_width():
    cells, values = simulated(2, same=True)

    found = stratified_jackknife(both_averages, values, speaker_strata(cells))

    for difference in found[3:]:
        assert difference.value == 0
        assert difference.standard_error == pytest.approx(0, abs=1e-12)
        assert (difference.low, difference.high) == pytest.approx((0, 0), abs=1e-12)
    assert all(each.standard_error > 0 for each in found[:3])


def test_speakers_that_both_backbones_find_hard_leave_the_difference():
    """A shared speaker effect is in each average and cancels in the difference."""
    rng = np.random.default_rng(3)
    shared = rng.normal(0, 0.2, 10)
    scores = {name: 0.5 + shared + rng.normal(0, 0.01, 10) for name in "ab"}
    stratum = Stratum(
        name="x",
        cells=np.array([0, 1]),
        without=np.stack([(own.sum() - own) / 9 for own in scores.values()], axis=1),
        sizes=np.ones(10),
    )
    values = np.array([own.mean() for own in scores.values()])

    first, difference = stratified_jackknife(
        lambda cells: np.stack([cells[..., 0], cells[..., 0] - cells[..., 1]], axis=-1),
        values,
        [stratum],
    )

    assert difference.standard_error < 0.1 * first.standard_error
    theirs = stats.ttest_rel(scores["a"], scores["b"]).confidence_interval(0.95)
    assert (difference.low, difference.high) == pytest.approx((theirs.low, theirs.high))


def test_a_unit_that_a_cell_does_not_have_leaves_it_unchanged_and_uncounted():
    """Two of six speakers are in the in-domain test part; its mean has one degree of freedom."""
    whole = np.array([0.2, 0.4, 0.5, 0.7, 0.8, 0.9])
    part = whole[:2]

    def cell(own, ids):
        return CellEstimate(
            value=float(own.mean()),
            by_seed=np.array([own.mean()]),
            without=(own.sum() - own) / (len(own) - 1),
            sizes=np.ones(len(own)),
            unit_ids=np.array(ids),
            unit="speaker",
        )

    cells = {0: ("x", cell(part, [4, 7])), 1: ("x", cell(whole, [4, 7, 8, 9, 11, 12]))}
    (stratum,) = speaker_strata(cells)
    assert stratum.without.shape == (6, 2)
    assert np.isnan(stratum.without[2:, 0]).all()

    first, second = stratified_jackknife(
        lambda values: values, np.array([part.mean(), whole.mean()]), [stratum]
    )

    for interval, own in ((first, part), (second, whole)):
        assert interval.standard_error == pytest.approx(own.std(ddof=1) / np.sqrt(len(own)))
        assert interval.df == len(own) - 1


def test_utterances_and_speakers_of_one_corpus_are_separate_strata():
    cells, _ = simulated(4)
    position = LAYOUT.position("a", "x", "x")
    single = estimate_cell(
        [[unit_counts(*np.zeros((2, 9), int), np.arange(9), 9, 4)]], unit="utterance"
    )
    cells[position] = ("x", single)

    names = sorted(stratum.name for stratum in speaker_strata(cells))

    assert names == ["speakers of x", "speakers of y", "speakers of z", "utterances of x"]


def test_seeds_of_a_train_corpus_are_a_stratum_over_its_row():
    by_seed = {0: 0.4, 1: 0.5, 2: 0.9}
    cells = {
        0: ("x", by_seed),
        1: ("x", {0: 0.5, 1: 0.6, 2: 1.0}),
        2: ("y", {0: 0.5}),
    }

    (stratum,) = seed_strata(cells)

    assert stratum.name == "seeds of x"
    assert stratum.cells.tolist() == [0, 1]
    np.testing.assert_allclose(stratum.without[:, 0], [0.7, 0.65, 0.45])
    values = np.array([0.6, 0.7, 0.5])
    (found,) = stratified_jackknife(mean, values, [stratum])
    assert found.standard_error**2 == pytest.approx(4 / 9 * np.var([0.4, 0.5, 0.9], ddof=1) / 3)
    assert found.df == pytest.approx(2)


def test_the_order_of_corpora_and_backbones_does_not_matter():
    cells, values = simulated(5)
    first = stratified_jackknife(both_averages, values, speaker_strata(cells))
    other = MatrixLayout(
        backbones=LAYOUT.backbones, in_domain=("z", "x", "y"), out_of_domain=("y", "z", "x")
    )
    moved, shuffled = {}, np.full(other.size, np.nan)
    for backbone in LAYOUT.backbones:
        for train in LAYOUT.in_domain:
            for test in LAYOUT.in_domain:
                source = LAYOUT.position(backbone, train, test)
                target = other.position(backbone, train, test)
                moved[target], shuffled[target] = cells[source], values[source]

    def statistic(flat):
        found = reduce_values(*other.unpack(flat))
        stacked = np.stack(
            [found.in_domain_mean, found.out_of_domain_mean, found.weighted], axis=-1
        )
        return np.concatenate([stacked[..., 0, :], stacked[..., 0, :] - stacked[..., 1, :]], -1)

    second = stratified_jackknife(statistic, shuffled, speaker_strata(moved))

    for one, two in zip(first, second, strict=True):
        assert (one.low, one.high, one.df) == pytest.approx((two.low, two.high, two.df))


def test_a_missing_cell_leaves_the_averages_defined():
    cells, values = simulated(6)
    gone = LAYOUT.position("a", "x", "y")
    del cells[gone]
    values[gone] = np.nan

    found = stratified_jackknife(
        both_averages, values, speaker_strata(cells), notes=(Note.ONE_PROBE,)
    )

    assert all(np.isfinite([each.low, each.high]).all() for each in found)
    assert found[0].notes == (Note.ONE_PROBE,)


def test_one_unit_alone_is_refused():
    stratum = Stratum(
        name="speakers of x", cells=np.array([0]), without=np.array([[0.5]]), sizes=np.ones(1)
    )
    with pytest.raises(ProtocolError, match="speakers of x: one unit"):
        stratified_jackknife(mean, np.array([0.4]), [stratum])


def test_a_layout_has_each_cell_once():
    places = {
        LAYOUT.position(backbone, train, test)
        for backbone in LAYOUT.backbones
        for train in LAYOUT.in_domain
        for test in LAYOUT.in_domain
    }
    assert len(places) == 18
    values = np.full(LAYOUT.size, np.nan)
    values[LAYOUT.position("b", "y", "x")] = 7.0
    values[LAYOUT.position("b", "z", "z")] = 5.0
    inside, outside = LAYOUT.unpack(values)
    assert outside[1, 1, 0] == 7.0
    assert inside[1, 2] == 5.0
    assert np.isfinite(outside).sum() == np.isfinite(inside).sum() == 1
