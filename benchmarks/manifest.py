"""Building manifests at full size, compared with only listing the same files.

The nineteen corpora have the sizes of the paper's Table 1 (see `benchmarks.grid`). Caches are warm.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.common import Figure
from benchmarks.common import interleaved
from benchmarks.common import medians
from benchmarks.common import ratio_within_rounds
from benchmarks.grid import sercore_corpora
from benchmarks.grid import write_corpora
from sercore.corpora.locate import open_corpus
from sercore.corpora.manifest import build_manifest
from sercore.storage.workspace import Workspace


def run(*, quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        data, workspace = Path(folder) / "data", Workspace(Path(folder) / "workspace")
        n = write_corpora(data, 0.02 if quick else 1.0)

        def ours() -> None:
            for corpus in sercore_corpora():
                name = corpus.card.id
                files = open_corpus(data / name, workspace, f"corpora/{name}")
                _ = build_manifest(corpus, files, "corrected").digest

        def listing() -> None:
            for place, _, names in os.walk(data):
                for name in names:
                    os.stat(f"{place}/{name}")  # noqa: PTH116 - the fastest way to list

        seconds = interleaved({"sercore": ours, "listing": listing}, 1 if quick else 5)
    middle = medians(seconds)
    return [
        Figure(
            what=f"19 manifests of {n} utterances, digests included",
            unit="s",
            ours=middle["sercore"],
            alternative="os.walk and stat of the same files",
            theirs=middle["listing"],
            ratio=ratio_within_rounds(seconds, "listing"),
            detail=seconds,
        )
    ]
