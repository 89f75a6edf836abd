"""wav2vec 2.0, HuBERT, WavLM and MERT: convolutions over the waveform, then a transformer.

Each utterance is normalised alone before it is padded with zeros, and the model is told which
samples are real. What no mask reaches is the group normalisation that some checkpoints (MERT, the
base sizes) have after their first convolution: its statistics run over the padding too. It is
replaced here by one that counts real frames only.

Frames kept of n samples: what the convolutions make of n real samples, (n - 80) // 320 for the
usual kernels, at least one: shorter clips are filled up with zeros to 400 samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import torch

from sercore.backbones.huggingface.encoding import LayerTap
from sercore.backbones.huggingface.encoding import Prepared
from sercore.backbones.huggingface.encoding import check_options
from sercore.backbones.huggingface.encoding import clean
from sercore.backbones.huggingface.encoding import cost_of_explicit_attention
from sercore.backbones.huggingface.encoding import running
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

# Heads for recognition, classification and pre-training that whole-model checkpoints carry.
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

# Options of an architecture whose frames would be something else than documented here.
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
            raise BackboneError(f"the checkpoint {folder} sets {name}, which has no loader")
    models = {"wav2vec2": Wav2Vec2Model, "wavlm": WavLMModel}
    # MERT is HuBERT under another name: its own code changes nothing that its weights use, and
    # asking for that code would mean running it.
    model_class = models.get(raw["model_type"], HubertModel)
    config = None
    if raw["model_type"] == "mert_model":
        config = HubertConfig.from_dict({**raw, "model_type": "hubert"})
    model = load_model(model_class, folder, options, config=config, dropped=_HEADS)
    extractor = load_extractor(Wav2Vec2FeatureExtractor, folder)
    return WaveformEncoder(model, extractor, card, options)


class WaveformEncoder:
    """A transformer over convolutions of the waveform.

    Args:
        model: the base model.
        extractor: normalises and pads.
        card: the backbone's facts.
        options: layer, precision, device.
    """

    def __init__(
        self, model: Any, extractor: Any, card: BackboneCard, options: EncoderOptions
    ) -> None:
        self._model = model
        self._extractor = extractor
        self._options = options
        self._rate = card.sample_rate
        config = model.config
        self._convolutions = tuple(zip(config.conv_kernel, config.conv_stride, strict=True))
        self._shortest = 1
        for kernel, stride in reversed(self._convolutions):
            self._shortest = (self._shortest - 1) * stride + kernel
        # WavLM computes its attention step by step and keeps the scores of every head.
        self._explicit_attention = config.model_type == "wavlm"
        self._norm: RealFramesNorm | None = None
        first = model.feature_extractor.conv_layers[0]
        if isinstance(getattr(first, "layer_norm", None), torch.nn.GroupNorm):
            self._norm = RealFramesNorm(first.layer_norm)
            first.layer_norm = self._norm
        self._tap = LayerTap(model.encoder.layers, options, card.id)

    @property
    def width(self) -> int:
        """Numbers in one frame."""
        return int(self._model.config.hidden_size)

    @property
    def n_layers(self) -> int:
        """Layers whose pooled means are returned, the input of the first included."""
        return self._tap.n_layers

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames are kept: those that hear real audio only, at least one."""
        longest = round(MAX_SECONDS * self._rate)
        count = max(min(n_samples, longest), self._shortest)
        for kernel, stride in self._convolutions:
            count = (count - kernel) // stride + 1
        return count

    def cost(self, n_samples: int) -> int:
        """Return the frames computed for an utterance, weighted where attention is explicit."""
        count = self.n_frames(n_samples)
        return cost_of_explicit_attention(count) if self._explicit_attention else count

    def prepare(self, waveforms: Sequence[Waveform]) -> Prepared:
        """Normalise each waveform alone, then pad them with zeros to the longest."""
        waveforms = clean(waveforms, self._rate, self._shortest)
        inputs = self._extractor(
            waveforms,
            sampling_rate=self._rate,
            padding=True,
            return_attention_mask=True,
            return_tensors="pt",
        )
        return Prepared(dict(inputs), tuple(self.n_frames(len(each)) for each in waveforms))

    def encode(self, batch: Prepared) -> list[EncodedUtterance]:
        """Run the model."""
        with running(self._options) as device, warnings.catch_warnings():
            # WavLM's own code mixes the types of its two masks; torch means to forbid that.
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            inputs = {name: each.to(device) for name, each in batch.inputs.items()}
            if self._norm is not None:
                kernel, stride = self._convolutions[0]
                samples = inputs["attention_mask"].sum(dim=1)
                self._norm.n_real = (samples - kernel) // stride + 1
            self._tap.begin(batch.n_frames)
            return self._tap.finish(self._model(**inputs).last_hidden_state)


class RealFramesNorm(torch.nn.Module):
    """Group normalisation with one group per channel whose statistics count real frames only.

    Args:
        norm: the module it stands in for; its weights are used.
    """

    def __init__(self, norm: torch.nn.GroupNorm) -> None:
        super().__init__()
        assert norm.num_groups == norm.num_channels
        self.weight = norm.weight
        self.bias = norm.bias
        self.eps = norm.eps
        self.n_real: torch.Tensor | None = None
        """int64 (batch,): real frames of each row; set before each batch."""

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
