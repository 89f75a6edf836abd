"""Differences of two cells."""

import numpy as np
import pytest
from scipy import stats

from sercore.errors import ProtocolError
from sercore.statistics.differences import paired_difference
from sercore.statistics.differences import unpaired_difference
from sercore.statistics.intervals import Note
from sercore.statistics.jackknife import CellEstimate
from sercore.statistics.seeds import cell_intervals


def cell(scores, ids=None, unit="speaker"):
    """A cell that is the mean of scores (speakers,) or (speakers, seeds)."""
    scores = np.asarray(scores, dtype=float)
    table = scores if scores.ndim == 2 else scores[:, np.newaxis]
    own = table.mean(axis=1)
    return CellEstimate(
        value=float(own.mean()),
        by_seed=table.mean(axis=0),
        without=(own.sum() - own) / (len(own) - 1),
        sizes=np.full(len(own), 10.0),
        unit_ids=np.arange(len(own)) if ids is None else np.array(ids),
        unit=unit,
    )


def intervals(*cells):
    return cell_intervals(cells, bounds=(-1, 1))


def test_a_paired_difference_is_the_paired_t_test():
    rng = np.random.default_rng(1)
    shared = rng.normal(0.5, 0.1, 8)
    first, second = shared + rng.normal(0, 0.02, 8), shared + rng.normal(0.05, 0.02, 8)

    (found,) = intervals(paired_difference(cell(first), cell(second)))

    theirs = stats.ttest_rel(second, first).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert Note.ONE_PROBE in found.notes


def test_the_order_of_speakers_does_not_matter():
    rng = np.random.default_rng(2)
    first, second = rng.uniform(size=(2, 6))
    order = rng.permutation(6)

    one = paired_difference(cell(first), cell(second))
    other = paired_difference(cell(first), cell(second[order], ids=order))

    np.testing.assert_allclose(one.without, other.without)


def test_a_cell_minus_itself_is_zero():
    same = cell(np.random.default_rng(3).uniform(size=(6, 3)))

    (found,) = intervals(paired_difference(same, same))

    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_a_speaker_of_one_test_part_alone_changes_that_side_only():
    first, second = cell([0.2, 0.4, 0.9], ids=[1, 2, 5]), cell([0.3, 0.5, 0.8], ids=[1, 2, 7])

    found = paired_difference(first, second)

    assert found.unit_ids.tolist() == [1, 2, 5, 7]
    assert found.without[2] == pytest.approx(second.value - first.without[2])
    assert found.without[3] == pytest.approx(second.without[2] - first.value)


def test_seeds_are_paired_where_both_have_them():
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 0.2, 3)
    first = 0.5 + rng.normal(0, 0.01, (6, 3)) + noise
    second = 0.5 + rng.normal(0, 0.01, (6, 3)) + noise

    paired = paired_difference(cell(first), cell(second))
    unequal = paired_difference(cell(first), cell(second[:, :2]))

    assert paired.by_seed.std(ddof=1) < 0.1 * cell(first).by_seed.std(ddof=1)
    assert len(unequal.by_seed) == 1
    assert Note.ONE_PROBE in intervals(unequal)[0].notes
    assert Note.ONE_PROBE not in intervals(paired)[0].notes


def test_different_test_sets_are_welch():
    rng = np.random.default_rng(5)
    first, second = rng.uniform(0.3, 0.5, 5), rng.uniform(0.3, 0.9, 9)

    found = unpaired_difference(*intervals(cell(first), cell(second)))

    theirs = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert found.value == pytest.approx(second.mean() - first.mean())


def test_speakers_and_utterances_are_not_paired():
    with pytest.raises(ProtocolError, match="speakers and utterances as units"):
        paired_difference(cell([0.1, 0.2]), cell([0.1, 0.2], unit="utterance"))
