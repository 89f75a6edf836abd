"""Folds that a laboratory uses for a corpus of another plugin; one of them shares speakers."""

from __future__ import annotations

from sercore import PublishedFolds
from sercore import hookimpl

SERCORE_API = 1

WOMEN, MEN = ("f1", "f2", "f3"), ("m1", "m2", "m3")
SENTENCES = {"b1": [], "b2": []}
for speaker in (*WOMEN, *MEN):
    for label in ("rab", "gio", "tri"):
        for sentence, listed in SENTENCES.items():
            listed.append(f"{speaker}/{label}-{speaker}-{sentence}")


@hookimpl
def sercore_folds():
    return [
        PublishedFolds(corpus="emovo", name="by-sex", source="a laboratory", test=(WOMEN, MEN)),
        PublishedFolds(
            corpus="emovo",
            name="by-sentence",
            source="a laboratory",
            test=tuple(map(tuple, SENTENCES.values())),
            unit="utterance_id",
        ),
    ]
