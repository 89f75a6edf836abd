"""Tiny checkpoints in the layout of the published ones: same files, names and architecture.

Widths and depths are small. Kernels, strides, windows and mel bins are those of the published
checkpoints, so frame counts and input shapes are too. Weights are random and scaled to their
fan-in, with random norms and biases: with the default initialisation, a leak between the rows of a
batch can be smaller than any tolerance.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    import torch

_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


def build_checkpoint(backbone: str, folder: Path, *, seed: int = 0) -> Path:
    """Write a tiny checkpoint in the layout of a backbone's published one.

    Args:
        backbone: id of one of the nine backbones of the benchmark.
        folder: an empty folder; it is created if it is missing.
        seed: seeds the weights.

    Returns:
        The folder.

    Raises:
        KeyError: there is no builder for this id.
    """
    import torch

    from sercore.backbones.huggingface.models import quiet

    build = BUILDERS[backbone]
    folder.mkdir(parents=True, exist_ok=True)
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        build(folder)
    return folder


def randomise(model: torch.nn.Module) -> None:
    """Replace the weights of a model by random weights that make leaks visible."""
    import torch

    with torch.no_grad():
        for name, values in model.named_parameters():
            if values.ndim > 1:
                values.normal_(std=(values[0].numel()) ** -0.5)
            elif name.endswith(("weight", "original0", "weight_g")):
                values.uniform_(0.5, 1.5)
            else:
                values.normal_(std=0.3)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                # The usual range of mel bins of speech, in decibels.
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(-30.0, 10.0)
                module.running_var.uniform_(50.0, 200.0)


def _whisper(*, mel_bins: int, vocabulary: int, dtype: str) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        import torch
        from transformers import WhisperConfig
        from transformers import WhisperFeatureExtractor
        from transformers import WhisperForConditionalGeneration

        config = WhisperConfig(
            vocab_size=vocabulary,
            num_mel_bins=mel_bins,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
        )
        model = WhisperForConditionalGeneration(config)
        randomise(model)
        model.to(getattr(torch, dtype)).save_pretrained(folder)
        extractor: Any = WhisperFeatureExtractor
        extractor(feature_size=mel_bins).save_pretrained(folder)

    return build


def _waveform(kind: str, *, norm: str, bias: bool, rate: int = 16_000) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        import transformers

        name = {"hubert": "Hubert", "wavlm": "WavLM"}[kind]
        config = getattr(transformers, f"{name}Config")(
            **_SMALL,
            conv_dim=[32] * 7,
            do_stable_layer_norm=True,
            feat_extract_norm=norm,
            conv_bias=bias,
        )
        model = getattr(transformers, f"{name}Model")(config)
        randomise(model)
        config.save_pretrained(folder)
        _save_pickled(model, folder)
        extractor: Any = transformers.Wav2Vec2FeatureExtractor
        extractor(
            sampling_rate=rate, do_normalize=True, return_attention_mask=True
        ).save_pretrained(folder)

    return build


def _mert(folder: Path) -> None:
    _waveform("hubert", norm="group", bias=False, rate=24_000)(folder)
    path = folder / "config.json"
    config = json.loads(path.read_bytes())
    config.pop("conv_pos_batch_norm", None)
    # As in the published checkpoint, which refers to its own code. That code must never run.
    config |= {
        "model_type": "mert_model",
        "architectures": ["MERTModel"],
        "sample_rate": 24_000,
        "attention_relax": 32.0,
        "deepnorm": False,
        "feature_extractor_cqt": False,
        "auto_map": {
            "AutoConfig": "configuration_MERT.MERTConfig",
            "AutoModel": "modeling_MERT.MERTModel",
        },
    }
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for name in ("configuration_MERT.py", "modeling_MERT.py"):
        (folder / name).write_text('raise RuntimeError("code of the checkpoint was run")\n')


def _w2v_bert(folder: Path) -> None:
    from transformers import SeamlessM4TFeatureExtractor
    from transformers import Wav2Vec2BertConfig
    from transformers import Wav2Vec2BertModel

    model = Wav2Vec2BertModel(Wav2Vec2BertConfig(**_SMALL, output_hidden_size=32))
    randomise(model)
    model.save_pretrained(folder)
    extractor: Any = SeamlessM4TFeatureExtractor
    extractor(padding_value=1).save_pretrained(folder)


def _clap(folder: Path) -> None:
    from transformers import ClapConfig
    from transformers import ClapFeatureExtractor
    from transformers import ClapModel

    config = ClapConfig(
        audio_config={
            "patch_embeds_hidden_size": 8,
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 4, 8],
            "hidden_size": 64,
            "projection_dim": 16,
        },
        text_config={
            "vocab_size": 99,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "projection_dim": 16,
        },
        projection_dim=16,
    )
    model = ClapModel(config)
    randomise(model)
    config.save_pretrained(folder)
    _save_pickled(model, folder)
    ClapFeatureExtractor(
        truncation="rand_trunc", padding="repeatpad", frequency_min=50, frequency_max=14_000
    ).save_pretrained(folder)


def _save_pickled(model: Any, folder: Path) -> None:
    """Save weights like older releases: pickled, with the old names of weight normalisation."""
    import torch

    renamed = {
        "parametrizations.weight.original0": "weight_g",
        "parametrizations.weight.original1": "weight_v",
    }
    weights = {}
    for name, values in model.state_dict().items():
        for new, old in renamed.items():
            name = name.replace(new, old)  # noqa: PLW2901
        weights[name] = values
    torch.save(weights, folder / "pytorch_model.bin")


BUILDERS: dict[str, Callable[[Path], None]] = {
    "clap-larger-music-speech": _clap,
    "hubert-large": _waveform("hubert", norm="layer", bias=True),
    "mert-v1-330m": _mert,
    "w2v-bert-2": _w2v_bert,
    "wavlm-large": _waveform("wavlm", norm="layer", bias=False),
    "whisper-large": _whisper(mel_bins=80, vocabulary=51_865, dtype="float32"),
    "whisper-large-v2": _whisper(mel_bins=80, vocabulary=51_865, dtype="float32"),
    "whisper-large-v3": _whisper(mel_bins=128, vocabulary=51_866, dtype="float16"),
    "whisper-medium": _whisper(mel_bins=80, vocabulary=51_865, dtype="float32"),
}
"""Builders by id of the backbone."""
