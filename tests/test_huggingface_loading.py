"""Loading checkpoints: nothing missing in silence, nothing run, nothing asked of the network."""

import json
import os
import pickle
import shutil
import socket
import subprocess
import sys

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file
from safetensors.torch import save_file
from test_backbone_contract import in_small
from test_backbone_contract import plugin

from sercore.audio.signals import speech_like
from sercore.backbones.huggingface import from_name
from sercore.backbones.interface import EncoderOptions
from sercore.errors import BackboneError
from sercore.errors import BackboneUnavailableError
from sercore.errors import UnknownNameError
from sercore.plugins.registry import registry
from sercore.testing.checkpoints import BUILDERS
from sercore.testing.checkpoints import build_checkpoint

pytestmark = pytest.mark.torch

# A weight that the forward pass needs, in the names of each file.
NEEDED = {
    "clap-larger-music-speech": "audio_model.audio_encoder.norm.weight",
    "hubert-large": "encoder.layers.1.attention.k_proj.weight",
    "mert-v1-330m": "encoder.pos_conv_embed.conv.weight_g",
    "w2v-bert-2": "encoder.layers.1.self_attn.linear_k.weight",
    "wavlm-large": "encoder.layers.0.attention.rel_attn_embed.weight",
    "whisper-large": "model.encoder.layers.1.fc1.weight",
    "whisper-large-v2": "model.encoder.embed_positions.weight",
    "whisper-large-v3": "model.encoder.conv1.weight",
    "whisper-medium": "model.encoder.layer_norm.bias",
}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def _weights(folder):
    if (folder / "model.safetensors").exists():
        return load_file(folder / "model.safetensors")
    return torch.load(folder / "pytorch_model.bin", weights_only=True)


def _save(weights, folder):
    if (folder / "model.safetensors").exists():
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        torch.save(weights, folder / "pytorch_model.bin")


def _load(backbone, **options):
    return backbone.load(backbone.resolve(offline=True), EncoderOptions(**options))


def _frames(encoder, rate=16_000):
    (encoded,) = encoder.encode(encoder.prepare([speech_like(rate, rate)]))
    return encoded.frames


@pytest.mark.parametrize("name", BUILDERS)
def test_missing_weight_is_an_error(name, tmp_path):
    """For every one of the nine: transformers would fill it with random numbers."""
    backbone = in_small(plugin(name), tmp_path)
    weights = _weights(backbone.folder)
    weights.pop(NEEDED[name])
    _save(weights, backbone.folder)
    with pytest.raises(BackboneError, match="lack ") as caught:
        _load(backbone)

    assert "not complete" in caught.value.hint


@pytest.mark.parametrize("name", ["whisper-medium", "clap-larger-music-speech", "hubert-large"])
def test_foreign_weight_is_an_error(name, tmp_path):
    """A file of another architecture is not loaded as far as names agree."""
    backbone = in_small(plugin(name), tmp_path)
    _save({**_weights(backbone.folder), "encoder.extra.weight": torch.ones(1)}, backbone.folder)
    with pytest.raises(BackboneError, match="extra"):
        _load(backbone)


def test_truncated_weights_are_an_error(tmp_path):
    """A broken download is one sentence."""
    for name in ("whisper-medium", "hubert-large"):
        backbone = in_small(plugin(name), tmp_path / name)
        (file,) = [path for path in backbone.folder.iterdir() if path.stat().st_size > 20_000]
        file.write_bytes(file.read_bytes()[:-10_000])
        with pytest.raises(BackboneError, match="cannot be loaded"):
            _load(backbone)


def test_pickled_code_is_not_run(tmp_path):
    """A .bin goes through the unpickler that knows tensors only."""
    backbone = in_small(plugin("hubert-large"), tmp_path)
    mark = tmp_path / "was-run"

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(mark),))

    with (backbone.folder / "pytorch_model.bin").open("wb") as file:
        pickle.dump({"weight": Evil()}, file)
    with pytest.raises(BackboneError, match="cannot be loaded"):
        _load(backbone)

    assert not mark.exists()


def test_safetensors_go_before_a_bin(tmp_path):
    """Where both are there the pickled file is not even opened."""
    backbone = in_small(plugin("whisper-medium"), tmp_path)
    (backbone.folder / "pytorch_model.bin").write_bytes(b"never read")

    assert _frames(_load(backbone)).shape[1] == 32


def test_code_of_a_checkpoint_is_not_run(tmp_path):
    """MERT's folder asks for its own code, which here raises when run; it loads as HuBERT."""
    backbone = in_small(plugin("mert-v1-330m"), tmp_path)
    config = json.loads((backbone.folder / "config.json").read_text())

    assert config["model_type"] == "mert_model"
    assert "AutoModel" in config["auto_map"]
    assert (backbone.folder / "modeling_MERT.py").read_text().startswith("raise")
    assert {name for name in _weights(backbone.folder) if "pos_conv" in name} == {
        f"encoder.pos_conv_embed.conv.{name}" for name in ("bias", "weight_g", "weight_v")
    }
    assert _frames(_load(backbone), 24_000).shape == ((24_000 - 80) // 320, 32)


def test_mert_is_what_hubert_makes_of_its_weights(tmp_path):
    """Loaded natively, a single utterance has the frames of HubertModel with every weight set."""
    from transformers import HubertConfig
    from transformers import HubertModel
    from transformers import Wav2Vec2FeatureExtractor

    backbone = in_small(plugin("mert-v1-330m"), tmp_path)
    raw = json.loads((backbone.folder / "config.json").read_text())
    model = HubertModel(HubertConfig.from_dict({**raw, "model_type": "hubert"})).eval()
    new = {"weight_g": "original0", "weight_v": "original1"}
    weights = {}
    for name, values in _weights(backbone.folder).items():
        head, _, last = name.rpartition(".")
        last = f"parametrizations.weight.{new[last]}" if last in new else last
        weights[f"{head}.{last}" if head else last] = values
    model.load_state_dict(weights, strict=True)
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(backbone.folder)
    waveform = speech_like(24_000, 24_000)
    inputs = extractor(waveform, sampling_rate=24_000, return_tensors="pt")
    with torch.inference_mode():
        expected = model(inputs["input_values"]).last_hidden_state[0].numpy()
    found = _frames(_load(backbone), 24_000)

    assert abs(found - expected).max() < 1e-5 * abs(expected).max()


def test_float16_checkpoint_runs_in_float32(tmp_path):
    """The precision is always the one asked for, not the one of the file."""
    backbone = in_small(plugin("whisper-large-v3"), tmp_path)
    encoder = _load(backbone)

    assert {values.dtype for values in _weights(backbone.folder).values()} == {torch.float16}
    assert {values.dtype for values in encoder._model.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", BUILDERS)
def test_reduced_precision_is_near_float32(name, dtype, tmp_path):
    """Every family runs in both, by the device-agnostic path."""
    backbone = in_small(plugin(name), tmp_path)
    rate = backbone.card.sample_rate
    expected = _frames(_load(backbone), rate)
    found = _frames(_load(backbone, dtype=dtype), rate)
    difference = abs(found - expected).max() / abs(expected).max()

    assert found.dtype == "float32"
    assert 0 < difference < {"bfloat16": 0.15, "float16": 0.03}[dtype]


def test_missing_checkpoint_is_one_sentence(monkeypatch, tmp_path):
    """It names the checkpoint and how to get it; nothing is asked of the network when offline."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("the network was asked"))
    with pytest.raises(BackboneUnavailableError) as caught:
        plugin("hubert-large").resolve(offline=True)

    assert "facebook/hubert-large-ll60k are not on this machine" in caught.value.message
    assert "hf download facebook/hubert-large-ll60k" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_folder_of_the_search_path_comes_first(monkeypatch, tmp_path):
    """As OWNER/NAME or as NAME, and the plugin's own name finds it."""
    folder = build_checkpoint("wavlm-large", tmp_path / "a" / "wavlm-large")
    monkeypatch.setenv("SERCORE_CHECKPOINTS", f"{tmp_path / 'none'}{os.pathsep}{tmp_path / 'a'}")
    # The folder has the right name, but its sizes are not those on the card.
    with pytest.raises(BackboneError, match="is not wavlm-large: its width is 32"):
        plugin("wavlm-large").resolve(offline=True)
    found = from_name("hf:microsoft/wavlm-large").resolve(offline=True)

    assert found.location == str(folder)


def test_cached_snapshot_gives_its_commit(monkeypatch, tmp_path):
    """The hub's cache is read offline, and the resolved commit stands in the record."""
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    place = tmp_path / "hub" / "models--someone--tiny"
    build_checkpoint("whisper-medium", place / "snapshots" / commit)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    backbone = from_name("hf:someone/tiny")
    checkpoint = backbone.resolve(offline=True)

    assert (checkpoint.name, checkpoint.revision) == ("someone/tiny", commit)
    assert _frames(_load(backbone)).shape == (50, 32)


def test_digest_is_that_of_content_not_of_place(tmp_path):
    """Moved it is the same, changed by one weight or setting it is another."""
    first = build_checkpoint("whisper-medium", tmp_path / "first")
    moved = shutil.copytree(first, tmp_path / "moved")
    changed = shutil.copytree(first, tmp_path / "changed")
    weights = _weights(changed)
    weights["model.encoder.conv1.bias"][0] += 1
    _save(weights, changed)
    other = shutil.copytree(first, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"activation_function": "relu"}))
    digests = [
        from_name(f"hf:{folder}").resolve(offline=True).digest
        for folder in (first, moved, changed, other)
    ]

    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "has no preprocessor_"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "config.json").write_text("[]"), "is not a JSON object"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'), "'bert'"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no weights"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("{}"), "cannot be used"),
    ],
)
def test_unusable_folder_is_one_sentence(damage, sentence, tmp_path):
    """Whatever is wrong with it, before any weight is loaded."""
    folder = build_checkpoint("whisper-medium", tmp_path / "tiny")
    damage(folder)
    with pytest.raises(BackboneError) as caught:
        from_name(f"hf:{folder}").resolve(offline=True)

    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folder_that_is_not_there(tmp_path):
    """A path is not asked of the hub."""
    with pytest.raises(BackboneUnavailableError, match="there is no folder"):
        from_name(f"hf:{tmp_path / 'none'}")


def test_index_outside_of_the_folder_is_refused(tmp_path):
    """An index comes from outside and may name any path."""
    folder = build_checkpoint("whisper-medium", tmp_path / "tiny")
    (folder / "model.safetensors").rename(tmp_path / "stolen.safetensors")
    index = {"weight_map": {"model.encoder.conv1.weight": "../stolen.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BackboneError, match="stolen"):
        from_name(f"hf:{folder}").resolve(offline=True)


def test_shards_are_loaded_and_digested(tmp_path):
    """Weights in several files are the same model."""
    from transformers import WhisperForConditionalGeneration

    folder = build_checkpoint("whisper-medium", tmp_path / "tiny")
    expected = _frames(_load(from_name(f"hf:{folder}")))
    whole = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    sharded = shutil.copytree(folder, tmp_path / "sharded")
    (sharded / "model.safetensors").unlink()
    whole.save_pretrained(sharded, max_shard_size="1MB")
    backbone = from_name(f"hf:{sharded}")

    assert len(list(sharded.glob("model-*.safetensors"))) > 1
    assert (_frames(_load(backbone)) == expected).all()


def test_variant_of_any_checkpoint(tmp_path):
    """hf:PATH:exact is known where its family has it, and refused elsewhere."""
    whisper = build_checkpoint("whisper-medium", tmp_path / "whisper")
    hubert = build_checkpoint("hubert-large", tmp_path / "hubert")

    assert registry().backbone(f"hf:{whisper}:exact").card.family == "whisper"
    with pytest.raises(UnknownNameError, match="no variant 'exact'"):
        registry().backbone(f"hf:{hubert}:exact")


def test_device_that_is_not_there(tmp_path):
    """One sentence, whatever torch says."""
    backbone = in_small(plugin("hubert-large"), tmp_path)
    with pytest.raises(BackboneError, match="the device 'cuda:7' cannot be used"):
        _load(backbone, device="cuda:7")


def test_resolving_imports_no_torch(tmp_path):
    """Planning needs names, sizes and digests only."""
    folder = build_checkpoint("hubert-large", tmp_path / "tiny")
    script = (
        "import sys; from sercore.backbones.huggingface import from_name;"
        f"from_name('hf:{folder}').resolve(offline=True);"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == "[]"
