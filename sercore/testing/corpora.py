"""Tests that every corpus must pass; authors of corpora inherit them.

A test module of a plugin names its corpus, and a folder with some of its files::

    import pytest
    from my_plugin import MY_CORPUS

    from sercore.testing.corpora import CorpusContract


    class TestMine(CorpusContract):
        @pytest.fixture(scope="class")
        @classmethod
        def corpus(cls):
            return MY_CORPUS

        @pytest.fixture(scope="class")
        @classmethod
        def folder(cls):
            return Path(__file__).parent / "sample"

Without a folder, the tests that need files are skipped.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sercore.audio.decode import read_utterance
from sercore.corpora.interface import READINGS
from sercore.corpora.interface import Corpus
from sercore.corpora.interface import Utterance
from sercore.corpora.interface import label_of
from sercore.corpora.labels import Emotion
from sercore.corpora.labels import Label
from sercore.corpora.locate import open_corpus
from sercore.plugins.registry import NAME
from sercore.plugins.registry import registry
from sercore.storage.workspace import Workspace

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles

_DECODED = 40
"""Recordings that are decoded; those of a large corpus are spread over all sizes."""
_LANGUAGE = re.compile(r"[a-z]{3}")
_ADDRESS = re.compile(r"https?://\S+")
_STRAYS = ("Thumbs.db", ".DS_Store", "notes.pdf", "checksums.md5")


class CorpusContract:
    """The tests. Subclass it and override the fixtures `corpus` and `folder`."""

    @pytest.fixture(scope="class")
    @classmethod
    def corpus(cls) -> Corpus:
        """Return the corpus under test; subclasses override it."""
        raise NotImplementedError("override the fixture 'corpus'")

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls) -> Path | None:
        """Return a folder or archive with files of the corpus; None skips tests of files."""
        return None

    @pytest.fixture(scope="class")
    @classmethod
    def files(
        cls, corpus: Corpus, folder: Path | None, tmp_path_factory: pytest.TempPathFactory
    ) -> CorpusFiles:
        """Return the opened folder."""
        return _opened(corpus, folder, tmp_path_factory.mktemp("unpacked"))

    @pytest.fixture(scope="class")
    @classmethod
    def utterances(cls, corpus: Corpus, files: CorpusFiles) -> tuple[Utterance, ...]:
        """Return the utterances of the reading `corrected`."""
        return corpus.scan(files, "corrected").utterances

    def test_card_is_complete(self, corpus: Corpus) -> None:
        """The card has a valid name, a title, a language and a way to get the corpus."""
        card = corpus.card

        assert NAME.fullmatch(card.id), f"'{card.id}' is no name: use a-z, 0-9 and single hyphens"
        assert card.title
        assert card.language
        assert _LANGUAGE.fullmatch(card.language_code), "language_code is no ISO 639-3 code"
        assert card.access
        assert card.obtain or card.demo

    def test_addresses_are_addresses(self, corpus: Corpus) -> None:
        """The home page and downloads are addresses, or unknown."""
        card = corpus.card
        addresses = [card.homepage, *(download.url for download in card.downloads)]

        assert [text for text in addresses if text and not _ADDRESS.fullmatch(text)] == []

    def test_digests_are_digests(self, corpus: Corpus) -> None:
        """Digests of downloads are hexadecimal numbers of the right length, or unknown."""
        for download in corpus.card.downloads:
            assert download.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", download.sha256)
            assert download.md5 is None or re.fullmatch(r"[0-9a-f]{32}", download.md5)

    def test_expected_counts_add_up(self, corpus: Corpus) -> None:
        """The expected class counts of every reading add up to its number of utterances."""
        for reading, counts in corpus.card.expected.items():
            assert reading in READINGS
            if counts.classes:
                assert sum(counts.classes.values()) == counts.utterances, reading

    def test_every_label_has_a_class(self, corpus: Corpus) -> None:
        """Every installed label mapper maps every declared label to a class, or leaves it out."""
        for native in corpus.labels:
            meaning = label_of(corpus, native)
            assert isinstance(meaning, Label)
            assert isinstance(meaning.paper, Emotion)
            for mapper in registry().label_mappers:
                assert mapper.map(meaning) in (*mapper.classes, None), (native, mapper.id)

    @pytest.mark.parametrize("reading", READINGS)
    def test_every_label_is_declared(
        self, corpus: Corpus, files: CorpusFiles, reading: str
    ) -> None:
        """Every reading finds utterances, and the corpus declares the label of each."""
        found = corpus.scan(files, reading).utterances

        assert found, f"the reading '{reading}' finds no utterance"
        assert {utterance.native_label for utterance in found} <= set(corpus.labels)

    def test_ids_are_unique(self, utterances: tuple[Utterance, ...]) -> None:
        """No two utterances have the same id."""
        ids = Counter(utterance.utterance_id for utterance in utterances)

        assert [name for name, count in ids.items() if count > 1] == []
        assert all(ids)

    def test_ids_do_not_depend_on_the_place(
        self,
        corpus: Corpus,
        folder: Path | None,
        utterances: tuple[Utterance, ...],
        tmp_path: Path,
    ) -> None:
        """The same files in another place, with stray files beside them, are the same corpus."""
        if folder is None or not folder.is_dir():
            pytest.skip("needs a folder of the corpus")
        place = tmp_path / "somewhere else"
        place.mkdir()
        for child in folder.iterdir():
            (place / child.name).symlink_to(child.absolute())
        for stray in _STRAYS:
            if not (place / stray).exists():
                (place / stray).write_bytes(b"stray")
        moved = corpus.scan(_opened(corpus, place, tmp_path / "unpacked"), "corrected").utterances

        assert sorted(map(_facts, moved)) == sorted(map(_facts, utterances))

    def test_paths_stay_inside(self, files: CorpusFiles, utterances: tuple[Utterance, ...]) -> None:
        """Every path is relative, stays inside the corpus, and is a file of it."""
        known = {entry.path for entry in files}
        for path in {utterance.path for utterance in utterances}:
            assert not path.startswith("/")
            assert ".." not in PurePosixPath(path).parts
            assert path in known

    def test_speakers_are_lists(self, utterances: tuple[Utterance, ...]) -> None:
        """The speakers of an utterance are a tuple of names, or unknown."""
        for utterance in utterances:
            speaker = utterance.speaker
            assert speaker is None or isinstance(speaker, tuple), utterance.utterance_id
            assert speaker is None or all(speaker), utterance.utterance_id
            assert utterance.gender in (None, "female", "male", "child"), utterance.utterance_id

    def test_no_class_has_more_utterances_than_a_complete_copy(
        self, corpus: Corpus, utterances: tuple[Utterance, ...]
    ) -> None:
        """No class has more utterances than the card says a complete copy has."""
        expected = corpus.card.expected.get("corrected")
        if expected is None or not expected.classes:
            pytest.skip("the card states no class counts")
        found = Counter(label_of(corpus, one.native_label).paper for one in utterances)
        for emotion, count in found.items():
            most = expected.classes.get(emotion, 0) + max(expected.tolerance.get(emotion, 0), 0)
            assert count <= most, f"{emotion}: {count} found, {most} expected"

    def test_recordings_can_be_decoded(
        self, corpus: Corpus, files: CorpusFiles, utterances: tuple[Utterance, ...]
    ) -> None:
        """Recordings of all sizes can be decoded, and are not silent."""
        usable = [one for one in utterances if one.utterance_id not in corpus.card.known_bad]
        by_size = sorted(usable, key=lambda one: (one.size, one.utterance_id))
        chosen = np.linspace(0, len(by_size) - 1, min(_DECODED, len(by_size))).astype(int)
        for position in sorted(set(chosen.tolist())):
            recording = read_utterance(files, by_size[position], 16_000)
            assert len(recording.samples) > 0


def _opened(corpus: Corpus, folder: Path | None, unpacked: Path) -> CorpusFiles:
    if folder is None:
        pytest.skip("no files of the corpus are at hand")
    return open_corpus(folder, Workspace(str(unpacked)), "corpus", skip=corpus.card.unread)


def _facts(utterance: Utterance) -> tuple[str, ...]:
    """Return all that identifies an utterance, without its place."""
    return (
        utterance.utterance_id,
        utterance.native_label,
        str(utterance.speaker),
        str(utterance.text_id),
        str(utterance.official_split),
        str((utterance.row, utterance.start_s, utterance.end_s, utterance.channel)),
    )
