"""Real weights on real recordings: what is stored equals plain transformers inference."""

import shutil

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from sercore.backbones.huggingface import from_name
from sercore.backbones.interface import EncoderOptions
from sercore.corpora.contents import read_contents
from sercore.corpora.locate import open_corpus
from sercore.corpora.manifest import build_manifest
from sercore.features.extract import extract
from sercore.plugins.registry import registry
from sercore.storage.workspace import Workspace

pytestmark = pytest.mark.torch

PLACES = {"urdu": "URDU-Dataset-master", "emodb": "emodb"}


def _some(source, target, count):
    """Copy every n-th recording, so that all classes and speakers are among them."""
    found = sorted(source.rglob("*.wav"))
    for recording in found[:: len(found) // count][:count]:
        copy = target / recording.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(recording, copy)
    return target


def _plain(folder, waveforms):
    """Encode one at a time, padded to 30 s, as the model's own documentation does."""
    from transformers import WhisperFeatureExtractor
    from transformers import WhisperModel

    extractor = WhisperFeatureExtractor.from_pretrained(folder)
    model = WhisperModel.from_pretrained(folder, dtype=torch.float32).get_encoder()
    for waveform in waveforms:
        inputs = extractor(waveform, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(inputs["input_features"]).last_hidden_state[0].numpy()
        yield hidden[: len(waveform) // 320]


def _worst(shared, tmp_path, corpus_name, count):
    folder = shared / "checkpoints" / "whisper-tiny.en"
    place = _some(shared / "corpora" / PLACES[corpus_name], tmp_path / "corpus", count)
    workspace = Workspace(tmp_path / "workspace")
    files = open_corpus(place, workspace, "unpacked")
    manifest = build_manifest(
        registry().corpora.get(corpus_name), files, "corrected", read_contents
    )
    backbone = from_name(f"hf:{folder}")
    store = extract(
        backbone=backbone,
        checkpoint=backbone.resolve(offline=True),
        options=EncoderOptions(),
        manifest=manifest,
        files=files,
        workspace=workspace,
    )
    from sercore.audio.decode import read_file

    waveforms = [
        read_file(place / manifest.utterance(row).path, 16_000).samples
        for row in range(len(manifest))
    ]
    stored = store.open()
    differences = []
    for row, expected in enumerate(_plain(folder, waveforms)):
        found = stored.frames(row).astype(np.float32)

        assert found.shape == expected.shape
        differences.append(np.linalg.norm(found - expected) / np.linalg.norm(expected))

    assert len(differences) == count
    return max(differences)


@pytest.mark.parametrize("corpus", PLACES)
def test_a_few_stored_frames_equal_plain_transformers(corpus, shared, tmp_path):
    """Decoded, batched, trimmed and rounded to float16: within 1e-3."""
    assert _worst(shared, tmp_path, corpus, 3) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("corpus", PLACES)
def test_fifty_stored_frames_equal_plain_transformers(corpus, shared, tmp_path):
    """The same for fifty recordings of each corpus."""
    assert _worst(shared, tmp_path, corpus, 50) < 1e-3
