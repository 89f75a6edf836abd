"""Corpora of synthesised sound whose recordings are as long as those of real corpora."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import FileNameCorpus
from sercore.audio.signals import speech_like

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE = 16_000
"""Hertz."""


def folder_corpus(name: str) -> FileNameCorpus:
    """Return the corpus of a folder that `write_corpus` wrote."""
    card = CorpusCard(
        id=name,
        title=name,
        language="none",
        language_code="zxx",
        licence=None,
        access="built-in",
        homepage=None,
        citation=None,
        folders=(name,),
        obtain="Synthesised by the benchmark.",
        expected={"corrected": Counts(utterances=0, classes={})},
        speakers=None,
    )
    return FileNameCorpus(card=card, pattern=r"(?P<label>n)\d+\.wav", labels={"n": Emotion.NEUTRAL})


def drawn_durations(listing: Path, count: int) -> list[float]:
    """Draw durations in seconds from a listing, in its order."""
    with listing.open(newline="") as file:
        rows = [row["duration_s"] for row in csv.DictReader(file, delimiter="\t")]
    known = [min(float(text), 30.0) for text in rows if text]
    chosen = sorted(random.Random(f"{listing.stem} {count}").sample(range(len(known)), count))
    return [known[row] for row in chosen]


def write_corpus(folder: Path, durations: Sequence[float]) -> None:
    """Write one recording per duration in seconds."""
    folder.mkdir(parents=True)
    for number, seconds in enumerate(durations):
        samples = speech_like(max(round(seconds * RATE), 1), RATE, seed=number)
        soundfile.write(folder / f"n{number:05d}.wav", samples, RATE, subtype="PCM_16")
