"""wav2vec 2.0, HuBERT, WavLM and MERT: convolutions over the waveform, then a transformer.

Every utterance is normalised separately, padded with zeros, and given to the model with a mask of
its real samples. Some checkpoints (MERT, the base sizes) have a group normalisation after their
first convolution that ignores the mask: its statistics include the padding. This module replaces it
by a normalisation over real frames only.

Frames kept of n samples: the output length of the convolutions, (n - 80) // 320 for the usual
kernels, at least one. Clips shorter than 400 samples are padded with zeros to that length.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import torch

from sercore.backbones.huggingface.encoding import LayeredEncoder
from sercore.backbones.huggingface.encoding import Prepared
from sercore.backbones.huggingface.encoding import check_options
from sercore.backbones.huggingface.encoding import clean_waveforms
from sercore.backbones.huggingface.encoding import cost_of_explicit_attention
from sercore.backbones.huggingface.encoding import inference
from sercore.backbones.huggingface.families import CONFIG
from sercore.backbones.huggingface.families import read_config
from sercore.backbones.huggingface.models import load_extractor
from sercore.backbones.huggingface.models import load_model
from sercore.backbones.interface import MAX_SECONDS
from sercore.errors import BackboneError

if TYPE_CHECKING:
    from pathlib import Path

    from sercore.backbones.interface import BackboneCard
    from sercore.backbones.interface import EncodedUtterance
    from sercore.backbones.interface import EncoderOptions
    from sercore.backbones.interface import Waveform

# Heads for recognition, classification and pre-training in checkpoints of whole models.
_HEADS = (
    "classifier.",
    "layer_weights",
    "lm_head.",
    "masked_spec_embed",
    "project_hid.",
    "project_q.",
    "projector.",
    "quantizer.",
)

# Options under which the frames would differ from what this module documents.
_UNSUPPORTED = ("add_adapter", "conv_pos_batch_norm", "deepnorm", "feature_extractor_cqt")


def load(folder: Path, card: BackboneCard, options: EncoderOptions) -> WaveformEncoder:
    """Load a checkpoint of type wav2vec2, hubert, wavlm or mert_model.

    Raises:
        BackboneError: a weight is missing or an option does not apply.
    """
    from transformers import HubertConfig
    from transformers import HubertModel
    from transformers import Wav2Vec2FeatureExtractor
    from transformers import Wav2Vec2Model
    from transformers import WavLMModel

    check_options(options)
    raw = read_config(folder, CONFIG)
    for name in _UNSUPPORTED:
        if raw.get(name):
            raise BackboneError(
                f"the checkpoint {folder} sets {name}, which sercore does not support"
            )
    models = {"wav2vec2": Wav2Vec2Model, "wavlm": WavLMModel}
    # MERT is HuBERT under another name: the code of its checkpoint changes nothing that its weights
    # use, and loading that code would run it.
    model_class = models.get(raw["model_type"], HubertModel)
    config = None
    if raw["model_type"] == "mert_model":
        config = HubertConfig.from_dict({**raw, "model_type": "hubert"})
    model = load_model(model_class, folder, options, config=config, dropped=_HEADS)
    extractor = load_extractor(Wav2Vec2FeatureExtractor, folder)
    return WaveformEncoder(model, extractor, card, options)


class WaveformEncoder(LayeredEncoder):
    """A transformer over convolutions of the waveform.

    Args:
        model: the base model.
        extractor: normalises and pads waveforms.
        card: the backbone's facts.
        options: layer, precision, device.
    """

    def __init__(
        self, model: Any, extractor: Any, card: BackboneCard, options: EncoderOptions
    ) -> None:
        super().__init__(model, model.encoder.layers, extractor, card, options)
        config = model.config
        self._convolutions = tuple(zip(config.conv_kernel, config.conv_stride, strict=True))
        self._shortest = 1
        for kernel, stride in reversed(self._convolutions):
            self._shortest = (self._shortest - 1) * stride + kernel
        # WavLM computes attention in separate steps and keeps the scores of every head.
        self._explicit_attention = config.model_type == "wavlm"
        self._norm: RealFramesNorm | None = None
        first = model.feature_extractor.conv_layers[0]
        if isinstance(getattr(first, "layer_norm", None), torch.nn.GroupNorm):
            self._norm = RealFramesNorm(first.layer_norm)
            first.layer_norm = self._norm

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames are kept: those of real audio only, at least one."""
        longest = round(MAX_SECONDS * self._rate)
        count = max(min(n_samples, longest), self._shortest)
        for kernel, stride in self._convolutions:
            count = (count - kernel) // stride + 1
        return count

    def cost(self, n_samples: int) -> int:
        """Return the number of frames computed, weighted where attention is explicit."""
        count = self.n_frames(n_samples)
        return cost_of_explicit_attention(count) if self._explicit_attention else count

    def prepare(self, waveforms: Sequence[Waveform]) -> Prepared:
        """Normalise each waveform separately, then pad all to the longest."""
        waveforms = clean_waveforms(waveforms, self._rate, self._shortest)
        inputs = self._extractor(
            waveforms,
            sampling_rate=self._rate,
            padding=True,
            return_attention_mask=True,
            return_tensors="pt",
        )
        n_frames = tuple(self.n_frames(len(waveform)) for waveform in waveforms)
        return Prepared(dict(inputs), n_frames)

    def encode(self, batch: Prepared) -> list[EncodedUtterance]:
        """Run the model."""
        with inference(self._options) as device, warnings.catch_warnings():
            # WavLM's code passes two masks of different types; torch has deprecated that.
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            if self._norm is not None:
                kernel, stride = self._convolutions[0]
                samples = batch.inputs["attention_mask"].to(device).sum(dim=1)
                self._norm.n_real = (samples - kernel) // stride + 1
            return self._run(batch, device)


class RealFramesNorm(torch.nn.Module):
    """Group normalisation with one group per channel, over real frames only.

    Args:
        norm: the module to replace; its weights are used.
    """

    def __init__(self, norm: torch.nn.GroupNorm) -> None:
        super().__init__()
        assert norm.num_groups == norm.num_channels
        self.weight = norm.weight
        self.bias = norm.bias
        self.eps = norm.eps
        self.n_real: torch.Tensor | None = None
        """int64 (batch,): number of real frames of each row; set before every batch."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Normalise each channel of each row, shape (batch, channels, frames)."""
        assert self.n_real is not None
        values = hidden.float()
        positions = torch.arange(values.shape[-1], device=values.device)
        real = (positions < self.n_real[:, None])[:, None, :]
        count = self.n_real[:, None, None]
        mean = values.masked_fill(~real, 0).sum(dim=-1, keepdim=True) / count
        centred = values - mean
        variance = centred.masked_fill(~real, 0).square().sum(dim=-1, keepdim=True) / count
        normed = centred * torch.rsqrt(variance + self.eps)
        return (normed * self.weight[:, None] + self.bias[:, None]).to(hidden.dtype)
