"""Tests that every label mapper must pass; authors inherit `LabelMapperContract`."""

from __future__ import annotations

import pytest

from sercore.corpora.interface import label_of
from sercore.corpora.labels import Emotion
from sercore.corpora.labels import Label
from sercore.corpora.labels import LabelMapper
from sercore.plugins.registry import NAME
from sercore.plugins.registry import registry


class LabelMapperContract:
    """The tests. Subclass it and override the fixture `mapper`."""

    @pytest.fixture(scope="class")
    @classmethod
    def mapper(cls) -> LabelMapper:
        """Return the label mapper under test; subclasses override it."""
        raise NotImplementedError("override the fixture 'mapper'")

    def test_it_is_described(self, mapper: LabelMapper) -> None:
        """It has a valid name and a summary."""
        assert NAME.fullmatch(mapper.id)
        assert mapper.summary

    def test_classes_are_different_names(self, mapper: LabelMapper) -> None:
        """There are at least two classes, and all have different names."""
        assert len(mapper.classes) > 1
        assert len(set(mapper.classes)) == len(mapper.classes)
        assert all(mapper.classes)

    def test_every_emotion_has_an_answer(self, mapper: LabelMapper) -> None:
        """Every emotion of the benchmark becomes a class or is left out."""
        for emotion in Emotion:
            assert mapper.map(Label(emotion)) in (*mapper.classes, None), emotion

    def test_every_label_of_installed_corpora_has_an_answer(self, mapper: LabelMapper) -> None:
        """Every label of every installed corpus becomes a class or is left out."""
        for corpus in registry().corpora:
            for native in corpus.labels:
                answer = mapper.map(label_of(corpus, native))
                assert answer in (*mapper.classes, None), (corpus.card.id, native)

    def test_every_class_is_used(self, mapper: LabelMapper) -> None:
        """Every class is the answer to some label."""
        labels = [Label(emotion) for emotion in Emotion]
        labels += [
            label_of(corpus, native) for corpus in registry().corpora for native in corpus.labels
        ]

        assert set(mapper.classes) <= {mapper.map(label) for label in labels}

    def test_it_always_answers_the_same(self, mapper: LabelMapper) -> None:
        """The same label becomes the same class again."""
        for emotion in Emotion:
            assert mapper.map(Label(emotion)) == mapper.map(Label(emotion))
