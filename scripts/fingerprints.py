"""Write the fingerprints that corpus plugins ship, from published lists of lengths and digests.

``python -m scripts.fingerprints REFERENCE`` reads ``listings/*.tsv`` (path and length of every
utterance, with the source of the length) and ``fingerprints/urdu.tsv`` (digests of files) in the
folder REFERENCE. With ``--copy urdu=FOLDER`` it also decodes a copy, whose files must have the
published digests. Only lengths that some source states are written.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.data_cards import PLUGINS
from scripts.data_cards import load_corpus
from sercore.audio.audit import audit_audio
from sercore.corpora.contents import read_contents
from sercore.corpora.files import CorpusFiles
from sercore.corpora.manifest import build_manifest
from sercore.diagnostics.fingerprint import Fingerprint
from sercore.diagnostics.fingerprint import Print
from sercore.diagnostics.fingerprint import fingerprint_text
from sercore.diagnostics.fingerprint import prints_of

if TYPE_CHECKING:
    from sercore.corpora.interface import Corpus

LENGTHS = (
    *("aesdd", "cafe", "casia", "emodb", "emovo", "enterface", "mead", "mesd", "shemo", "subesco"),
)
"""Corpora of which lists of lengths are public, and whose names alone say what an utterance is.

MELD is left out: some of its clips were cut again by its authors, and it is not known which of the
two the lists measured.
"""
RATES = {"emodb": 16_000, "emovo": 48_000, "urdu": 44_100}
"""Hertz of all files of the published copy, where a source states it."""
LENGTH_SOURCE = "the published recordings (lengths stated by EmoBox and nkululeko)"
URDU_SOURCE = "the published files (siddiquelatif/URDU-Dataset, revision 4b546d4e)"


def main() -> None:
    """Write all fingerprints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--copy", type=Path, help="a complete copy of URDU-Dataset")
    options = parser.parse_args()
    for name in LENGTHS:
        write(published_lengths(load_corpus(PLUGINS / name), options.reference))
    if options.copy:
        write(published_urdu(load_corpus(PLUGINS / "urdu"), options.reference, options.copy))


def write(fingerprint: Fingerprint) -> None:
    """Write a fingerprint into the folder of its plugin."""
    name = fingerprint.corpus
    place = PLUGINS / name / f"sercore_dataset_{name}_fingerprint.tsv"
    place.write_text(fingerprint_text(fingerprint), encoding="utf-8")
    print(f"{place}: {len(fingerprint.prints)} utterances")


def published_lengths(corpus: Corpus, reference: Path) -> Fingerprint:
    """Return the fingerprint of a corpus of which only lengths are published."""
    name = corpus.card.id
    lengths = {
        row["path"]: float(row["duration_s"])
        for row in rows_of(reference / "listings" / f"{name}.tsv")
        if row["duration_s"]
    }
    rate = RATES.get(name)
    prints = {
        utterance_id: Print(duration_s=lengths[path], rate=rate)
        for utterance_id, path in utterances(corpus, lengths)
    }
    return Fingerprint(corpus=name, source=LENGTH_SOURCE, prints=prints)


def published_urdu(corpus: Corpus, reference: Path, copy: Path) -> Fingerprint:
    """Return the fingerprint of URDU-Dataset, whose files have published digests.

    Raises:
        ValueError: a file of the copy has another digest.
    """
    published = {
        row["path"]: row["sha256"] for row in rows_of(reference / "fingerprints" / "urdu.tsv")
    }
    files = CorpusFiles(copy)
    manifest = build_manifest(corpus, files, "corrected", read_contents)
    for path, content in zip(manifest.column("path"), manifest.column("content"), strict=True):
        if published[path] != content:
            raise ValueError(f"{path} is not the published file")
    prints = prints_of(manifest, audit_audio(files, manifest)[0])
    return Fingerprint(corpus="urdu", source=URDU_SOURCE, prints=prints)


def utterances(corpus: Corpus, paths: dict[str, float]) -> Iterator[tuple[str, str]]:
    """Yield the id of every utterance with its path, from files of one byte."""
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"x")
        for utterance in corpus.scan(CorpusFiles(Path(folder)), "corrected").utterances:
            yield utterance.utterance_id, utterance.path


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table whose columns are separated by tabs."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


if __name__ == "__main__":
    main()
