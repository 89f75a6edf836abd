"""Tests that every protocol must pass; authors inherit `ProtocolContract`."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pyarrow as pa
import pytest

from sercore.backbones.interface import AudioPath
from sercore.corpora.interface import READINGS
from sercore.corpora.manifest import SCHEMA
from sercore.corpora.manifest import Manifest
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.protocols import Averaging
from sercore.evaluation.protocols import ClassRule
from sercore.evaluation.protocols import Protocol
from sercore.evaluation.splits import SPLITS
from sercore.evaluation.splits import Fold
from sercore.plugins.registry import NAME
from sercore.plugins.registry import registry

_SPEAKERS = 10
_PER_SPEAKER = 12


class ProtocolContract:
    """The tests. Subclass it and override the fixture `protocol`."""

    @pytest.fixture(scope="class")
    @classmethod
    def protocol(cls) -> Protocol:
        """Return the protocol under test; subclasses override it."""
        raise NotImplementedError("override the fixture 'protocol'")

    @pytest.fixture(scope="class")
    @classmethod
    def manifest(cls) -> Manifest:
        """Return a manifest with speakers, texts and an official split."""
        return small_manifest()

    def test_it_is_described(self, protocol: Protocol) -> None:
        """It has a valid name and a summary."""
        assert NAME.fullmatch(protocol.id)
        assert protocol.summary

    def test_its_parts_exist(self, protocol: Protocol) -> None:
        """Reading, label mapper, split, class rules, averaging and audio path exist."""
        assert protocol.reading in READINGS
        assert protocol.mapper in registry().label_mappers
        assert protocol.split in SPLITS
        assert protocol.class_rules
        assert set(protocol.class_rules) <= set(ClassRule)
        assert protocol.averaging in get_args(Averaging)
        assert protocol.audio_path in get_args(AudioPath)

    def test_its_headline_is_computed(self, protocol: Protocol) -> None:
        """All adjustments exist, and the headline is one of them."""
        assert set(protocol.adjustments) <= set(Adjustment)
        assert protocol.headline in protocol.adjustments

    def test_folds_divide_the_corpus(self, protocol: Protocol, manifest: Manifest) -> None:
        """No utterance is on both sides of a fold, and both sides have some."""
        for fold in _folds(protocol, manifest, seed=34):
            assert len(fold.train)
            assert len(fold.test)
            assert not set(fold.train.tolist()) & set(fold.test.tolist())

    def test_folds_test_every_utterance_once(self, protocol: Protocol, manifest: Manifest) -> None:
        """With several folds, every utterance is tested once."""
        folds = _folds(protocol, manifest, seed=34)
        if len(folds) < 2:
            pytest.skip("it has one fold")
        tested = np.sort(np.concatenate([fold.test for fold in folds]))

        np.testing.assert_array_equal(tested, np.arange(len(manifest)))

    def test_folds_depend_on_the_seed_alone(self, protocol: Protocol, manifest: Manifest) -> None:
        """The same seed gives the same folds again."""
        first, second = (_folds(protocol, manifest, seed=5) for _ in range(2))

        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one.train, other.train)
            np.testing.assert_array_equal(one.test, other.test)


def small_manifest() -> Manifest:
    """Return the manifest of a corpus of ten speakers, twelve utterances each."""
    rows = []
    for speaker in range(_SPEAKERS):
        for take in range(_PER_SPEAKER):
            name = f"s{speaker:02d}/t{take:02d}"
            rows.append(
                {
                    **dict.fromkeys(SCHEMA.names),
                    "utterance_id": name,
                    "path": f"{name}.wav",
                    "native_label": ("angry", "happy", "sad")[take % 3],
                    "speaker": [f"s{speaker:02d}"],
                    "text_id": f"t{take // 3}",
                    "official_split": "test" if speaker >= _SPEAKERS - 2 else "train",
                    "size": 1000,
                    "part": 0,
                }
            )
    return Manifest("sample", "corrected", pa.Table.from_pylist(rows, schema=SCHEMA))


def _folds(protocol: Protocol, manifest: Manifest, *, seed: int) -> list[Fold]:
    labels = np.array([take % 3 for take in range(_PER_SPEAKER)] * _SPEAKERS, dtype=np.int8)
    return list(SPLITS[protocol.split](manifest, labels, seed, protocol.n_folds))
