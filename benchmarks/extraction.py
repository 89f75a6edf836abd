"""Extraction compared with plain transformers: speed, time outside the encoder, memory, windows.

    python -m benchmarks.extraction [--quick] [--json FILE] [--shared DIR]

Speed is measured on an encoder of HuBERT Base's shape with random weights. Durations are drawn from
the listings of MELD, MEAD, RESD and SUBESCO and kept in file order; sound of these durations is
synthesised. Every corpus is extracted separately, like in a run, by

- alone: one utterance at a time through transformers;
- eights: batches of 8 in file order, padded to the longest, with a mask;
- sercore: its extraction, with decoding and writing of features.

The first two also decode and prepare, but write nothing. Weights are loaded before timing starts.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import soundfile
import torch

from benchmarks.common import Figure
from benchmarks.common import interleaved
from benchmarks.common import machine
from benchmarks.common import medians
from benchmarks.common import ratio_within_rounds
from benchmarks.recordings import RATE
from benchmarks.recordings import drawn_durations
from benchmarks.recordings import folder_corpus
from benchmarks.recordings import write_corpus
from sercore.backbones.huggingface import TransformersBackbone
from sercore.backbones.huggingface import from_name
from sercore.backbones.huggingface.models import quiet
from sercore.backbones.interface import EncoderOptions
from sercore.corpora.contents import read_contents
from sercore.corpora.locate import open_corpus
from sercore.corpora.manifest import build_manifest
from sercore.devices import set_threads
from sercore.features.extract import extract
from sercore.storage.workspace import Workspace
from sercore.testing.checkpoints import build_checkpoint
from sercore.testing.checkpoints import randomise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sercore import FileNameCorpus
    from sercore.backbones.interface import Checkpoint
    from sercore.backbones.interface import Encoder

CORPORA = ("meld", "mead", "resd", "subesco")
SHARED = Path(__file__).resolve().parents[2] / "shared"


@dataclass
class Loaded:
    """A backbone that stays loaded, and whose forward passes are timed."""

    backbone: TransformersBackbone
    seconds: float = 0.0
    encoder: Encoder | None = None
    begun: float = field(default=0.0, repr=False)

    @property
    def card(self) -> Any:
        return self.backbone.card

    def resolve(self, *, offline: bool) -> Checkpoint:
        return self.backbone.resolve(offline=offline)

    def load(self, checkpoint: Checkpoint, options: EncoderOptions) -> Encoder:
        if self.encoder is None:
            encoder: Any = self.backbone.load(checkpoint, options)
            encoder._model.register_forward_pre_hook(self._before)  # noqa: SLF001
            encoder._model.register_forward_hook(self._after)  # noqa: SLF001
            self.encoder = encoder
        return self.encoder

    def _before(self, *_: Any) -> None:
        self.begun = time.perf_counter()

    def _after(self, *_: Any) -> None:
        self.seconds += time.perf_counter() - self.begun


def hubert_base(folder: Path) -> TransformersBackbone:
    """Write a checkpoint with random weights, HuBERT Base's size and Large's normalisation."""
    from transformers import HubertConfig
    from transformers import HubertModel
    from transformers import Wav2Vec2FeatureExtractor

    folder.mkdir()
    torch.manual_seed(0)
    config = HubertConfig(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True)
    model = HubertModel(config)
    randomise(model)
    with quiet():
        model.save_pretrained(folder)
        extractor: Any = Wav2Vec2FeatureExtractor
        extractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    return from_name(f"hf:{folder}")


def plain(model: Any, extractor: Any, files: Sequence[Path], size: int) -> None:
    """Read, pad and encode batches of a fixed size."""
    for first in range(0, len(files), size):
        waveforms = [
            soundfile.read(file, dtype="float32")[0] for file in files[first : first + size]
        ]
        inputs = extractor(
            waveforms,
            sampling_rate=RATE,
            padding=True,
            return_attention_mask=size > 1,
            return_tensors="pt",
        )
        with torch.inference_mode():
            model(**inputs)


def run_extraction(
    backbone: Any,
    corpus: FileNameCorpus,
    place: Path,
    root: Path,
    *,
    variant: str | None = None,
) -> None:
    """Extract one corpus into an empty workspace."""
    workspace = Workspace(root / "workspace")
    files = open_corpus(place, workspace, "unpacked")
    extract(
        backbone=backbone,
        checkpoint=backbone.resolve(offline=True),
        options=EncoderOptions(variant=variant),
        manifest=build_manifest(corpus, files, "corrected", read_contents),
        files=files,
        workspace=workspace,
    )
    shutil.rmtree(root / "workspace")


def measure_speed(shared: Path, root: Path, *, quick: bool) -> list[Figure]:
    """Compare with plain transformers on an encoder of HuBERT Base's shape."""
    count, rounds = (8, 1) if quick else (16, 2)
    for name in CORPORA:
        listing = shared / "reference" / "listings" / f"{name}.tsv"
        write_corpus(root / name, drawn_durations(listing, count))
    files = {name: sorted((root / name).glob("*.wav")) for name in CORPORA}
    seconds, outside = _time_extraction(root, files, rounds)
    durations = {name: [soundfile.info(file).duration for file in files[name]] for name in CORPORA}
    audio, n = sum(map(sum, durations.values())), count * len(CORPORA)
    middle = medians(seconds)
    detail = {
        "seconds": seconds,
        "utterances": n,
        "audio_s": audio,
        "padded_to_s_in_eights": sum(
            max(batch) * len(batch)
            for values in durations.values()
            for batch in (values[first : first + 8] for first in range(0, count, 8))
        ),
        "times_real_time": {name: audio / value for name, value in middle.items()},
    }
    alternatives = {
        "alone": ("transformers, one at a time", None),
        "eights": ("transformers, batches of 8 in file order", 1.3),
    }
    figures = [
        Figure(
            what=f"extraction, HuBERT Base's shape, {n} utterances, {audio:.0f} s of audio",
            unit="utterances/s",
            ours=n / middle["sercore"],
            alternative=alternative,
            theirs=n / middle[name],
            ratio=ratio_within_rounds(seconds, name),
            goal=goal,
            detail=detail,
        )
        for name, (alternative, goal) in alternatives.items()
    ]
    share = Figure(
        what="time outside the encoder's forward pass",
        unit="of wall time",
        ours=statistics.median(outside),
        goal=0.1,
        detail={"shares": outside},
    )
    return [*figures, share]


def _time_extraction(
    root: Path, files: dict[str, list[Path]], rounds: int
) -> tuple[dict[str, list[float]], list[float]]:
    """Time all three ways.

    Returns:
        Seconds by way, and the shares of sercore's time outside the forward pass, one value per
        round.
    """
    from transformers import HubertModel
    from transformers import Wav2Vec2FeatureExtractor

    loaded = Loaded(hubert_base(root / "hubert"))
    loaded.load(loaded.resolve(offline=True), EncoderOptions())
    with quiet():
        model = HubertModel.from_pretrained(root / "hubert", dtype=torch.float32)
        extractor: Any = Wav2Vec2FeatureExtractor
        extractor = extractor.from_pretrained(root / "hubert")
    outside: list[float] = []

    def ours() -> float:
        loaded.seconds = 0.0
        began = time.perf_counter()
        for name in files:
            run_extraction(loaded, folder_corpus(name), root / name, root)
        wall = time.perf_counter() - began
        outside.append(1 - loaded.seconds / wall)
        return wall

    def theirs(size: int) -> None:
        for recordings in files.values():
            plain(model, extractor, recordings, size)

    seconds = interleaved(
        {"sercore": ours, "alone": lambda: theirs(1), "eights": lambda: theirs(8)}, rounds
    )
    return seconds, outside[1:]  # the first round warms up


def measure_window(shared: Path, root: Path, *, quick: bool) -> list[Figure]:
    """Compare Whisper's two windows on recordings of two real corpora."""
    from sercore.plugins.registry import registry

    count, rounds = (10, 1) if quick else (40, 2)
    backbone = from_name(f"hf:{shared / 'checkpoints' / 'whisper-tiny.en'}")
    both = {variant: Loaded(backbone) for variant in (None, "exact")}
    for variant, loaded in both.items():
        loaded.load(loaded.resolve(offline=True), EncoderOptions(variant=variant))
    places = {"urdu": "URDU-Dataset-master", "emodb": "emodb"}
    for name, folder in places.items():
        source = shared / "corpora" / folder
        found = sorted(source.rglob("*.wav"))
        for recording in found[:: len(found) // count][:count]:
            target = root / "real" / name / recording.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(recording, target)

    def run_window(variant: str | None) -> None:
        for name in places:
            corpus: Any = registry().corpora.get(name)
            run_extraction(both[variant], corpus, root / "real" / name, root, variant=variant)

    seconds = interleaved(
        {"full": lambda: run_window(None), "exact": lambda: run_window("exact")}, rounds
    )
    median = medians(seconds)
    n = count * len(places)
    return [
        Figure(
            what=f"whisper-tiny.en, window exact, {count} recordings each of {', '.join(places)}",
            unit="utterances/s",
            ours=n / median["exact"],
            alternative="window full",
            theirs=n / median["full"],
            ratio=ratio_within_rounds(seconds, "full", "exact"),
            goal=8,
            detail={"seconds": seconds},
        )
    ]


def measure_memory(root: Path, *, quick: bool) -> list[Figure]:
    """Extract a small and a large corpus in new processes, and compare their peak memory."""
    small, large = (
        (128, 256) if quick else (1024, 3072)
    )  # smaller corpora do not fill queues and pools
    build_checkpoint("hubert-large", root / "tiny")
    peaks = {}
    for count in (small, large):
        place = root / f"grows{count}"
        # Similar durations, so that batches of both corpora are equally full.
        write_corpus(place, [3.0 + 0.02 * (number % 11) for number in range(count)])
        command = [sys.executable, "-m", "benchmarks.extraction", "--child", str(place)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[count] = float(done.stdout.splitlines()[-1])
    return [
        Figure(
            what=f"peak memory, {large} utterances over {small}, tiny HuBERT",
            unit="times",
            ours=peaks[large] / peaks[small],
            goal=1.1,
            detail={"peak_mib": peaks},
        )
    ]


def child(place: Path) -> None:
    """Extract one corpus, and print the peak resident memory of this process in MiB."""
    backbone = from_name(f"hf:{place.parent / 'tiny'}")
    run_extraction(backbone, folder_corpus(place.name), place, place.parent)
    # Not ru_maxrss: a new process inherits the value of its parent.
    status = Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024)  # type: ignore[index]


def run(*, quick: bool, shared: Path = SHARED) -> list[Figure]:
    """Measure everything; needs listings, corpora and weights in the reference folder."""
    if not shared.is_dir():
        raise FileNotFoundError(f"there is no reference folder {shared}; name it with --shared")
    set_threads()
    with tempfile.TemporaryDirectory(prefix="sercore-bench-") as name:
        root = Path(name)
        return [
            *measure_speed(shared, root, quick=quick),
            *measure_window(shared, root, quick=quick),
            *measure_memory(root, quick=quick),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="use small sizes; only tests the benchmark"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument(
        "--shared",
        type=Path,
        default=SHARED,
        help="reference folder with listings, corpora and weights",
    )
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        set_threads()
        child(given.child)
        return
    record = machine()
    figures = run(quick=given.quick, shared=given.shared)
    for figure in figures:
        ratio = "" if figure.ratio is None else f"  {figure.ratio:.2f} x {figure.alternative}"
        goal = "" if figure.goal is None else f"  (goal {figure.goal:g}, met: {figure.met})"
        print(f"{figure.what}: {figure.ours:.3g} {figure.unit}{ratio}{goal}")
    if given.json:
        rows = [asdict(figure) | {"met": figure.met} for figure in figures]
        given.json.write_text(json.dumps({"machine": record, "figures": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
