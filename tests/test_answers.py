"""From labels and predictions to counts over shared units."""

import numpy as np
import pytest

from sercore.errors import ProtocolError
from sercore.evaluation.units import Units
from sercore.statistics.answers import FitAnswers
from sercore.statistics.answers import count_by_unit
from sercore.statistics.intervals import Note
from sercore.statistics.jackknife import estimate_cell
from sercore.statistics.leak import leak_gap
from sercore.statistics.seeds import cell_intervals

SPEAKERS = Units(kind="speaker", codes=np.repeat([5, 2, 9, 7], 25))


def answers(seed, rows):
    rng = np.random.default_rng(seed)
    labels = np.random.default_rng(0).integers(0, 3, 100)[rows]
    right = rng.uniform(size=len(rows)) < 0.6
    said = np.where(right, labels, rng.integers(0, 3, len(rows)))
    return FitAnswers(rows=rows, labels=labels, predictions=said)


def test_fits_share_their_units_though_each_misses_some():
    first, second = answers(1, np.arange(0, 50)), answers(2, np.arange(25, 100))

    found = count_by_unit([[first], [second]], SPEAKERS, 3)

    assert found.unit_ids.tolist() == [2, 5, 7, 9]
    (one,), (other,) = found.seeds
    assert one.sum(axis=(1, 2)).tolist() == [25, 25, 0, 0]
    assert other.sum(axis=(1, 2)).tolist() == [25, 0, 25, 25]
    assert np.trace(one.sum(axis=0)) == (first.labels == first.predictions).sum()
    assert (found.unit, found.notes) == ("speaker", ())


def test_one_speaker_is_noted_and_utterances_are_the_units():
    found = count_by_unit([[answers(1, np.arange(25, 50))]], SPEAKERS, 3)

    assert found.unit == "utterance"
    assert found.unit_ids.tolist() == list(range(25, 50))
    assert found.notes == (Note.ONE_SPEAKER,)
    assert (found.seeds[0][0].sum(axis=(1, 2)) == 1).all()


def test_two_speakers_stay_speakers():
    counted = count_by_unit([[answers(1, np.arange(50))]], SPEAKERS, 3)

    (found,) = cell_intervals([estimate_cell(counted.seeds, unit=counted.unit)])

    assert (found.unit, found.n_units, found.df) == ("speaker", 2, 1)
    assert Note.FEW_UNITS in found.notes


def test_unknown_speakers_are_noted():
    unknown = Units(kind="utterance", codes=np.arange(100))

    found = count_by_unit([[answers(1, np.arange(100))]], unknown, 3)

    assert found.unit == "utterance"
    assert found.notes == (Note.UNKNOWN_SPEAKERS,)


def test_counts_of_both_splits_make_a_leak_gap():
    random, disjoint = ([answers(s, np.arange(100)) for s in seeds] for seeds in ((1, 2), (3, 4)))

    found = count_by_unit([random, disjoint], SPEAKERS, 3)

    assert leak_gap(*found.seeds).interval.n_units == 4


def test_a_cell_without_utterances_is_refused():
    nothing = FitAnswers(rows=np.zeros(0, int), labels=np.zeros(0, int),
                         predictions=np.zeros(0, int))  # fmt: skip
    with pytest.raises(ProtocolError, match="without test utterances"):
        count_by_unit([[nothing]], SPEAKERS, 3)
