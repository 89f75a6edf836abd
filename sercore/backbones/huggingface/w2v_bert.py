"""w2v-BERT 2.0: a conformer over stacked log-mel frames.

The extractor stacks pairs of 10 ms frames and pads an odd number of them with one frame. Frames
that are half padding are masked out, so even a single utterance needs the mask.

Frames kept of n samples: ((n - 400) // 160 + 1) // 2, at least one. Clips shorter than 560 samples
are padded with zeros to that length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

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

_WINDOW = 400
_HOP = 160
"""Samples of a mel frame, and between the starts of two; constants in the extractor's code."""

_HEADS = ("classifier.", "layer_weights", "lm_head.", "masked_spec_embed", "projector.")


def load(folder: Path, card: BackboneCard, options: EncoderOptions) -> ConformerEncoder:
    """Load a checkpoint of type wav2vec2-bert.

    Raises:
        BackboneError: a weight is missing or an option does not apply.
    """
    from transformers import SeamlessM4TFeatureExtractor
    from transformers import Wav2Vec2BertModel

    check_options(options)
    if read_config(folder, CONFIG).get("add_adapter"):
        raise BackboneError(
            f"the checkpoint {folder} sets add_adapter, which sercore does not support"
        )
    model = load_model(Wav2Vec2BertModel, folder, options, dropped=_HEADS)
    extractor = load_extractor(SeamlessM4TFeatureExtractor, folder)
    return ConformerEncoder(model, extractor, card, options)


class ConformerEncoder(LayeredEncoder):
    """A conformer over stacked log-mel frames.

    Args:
        model: the base model.
        extractor: computes, normalises, stacks and pads log-mel frames.
        card: the backbone's facts.
        options: layer, precision, device.
    """

    def __init__(
        self, model: Any, extractor: Any, card: BackboneCard, options: EncoderOptions
    ) -> None:
        super().__init__(model, model.encoder.layers, extractor, card, options)
        self._stride = int(extractor.stride)
        self._shortest = _WINDOW + _HOP * (self._stride - 1)

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames are kept: those of real audio only, at least one."""
        longest = round(MAX_SECONDS * self._rate)
        count = max(min(n_samples, longest), self._shortest)
        return ((count - _WINDOW) // _HOP + 1) // self._stride

    def cost(self, n_samples: int) -> int:
        """Return the number of frames computed, weighted for explicit attention."""
        return cost_of_explicit_attention(self.n_frames(n_samples))

    def prepare(self, waveforms: Sequence[Waveform]) -> Prepared:
        """Turn waveforms into stacked log-mel frames; utterances are normalised separately."""
        waveforms = clean_waveforms(waveforms, self._rate, self._shortest)
        inputs = self._extractor(
            waveforms, sampling_rate=self._rate, padding=True, return_tensors="pt"
        )
        n_frames = tuple(self.n_frames(len(waveform)) for waveform in waveforms)
        return Prepared(dict(inputs), n_frames)

    def encode(self, batch: Prepared) -> list[EncodedUtterance]:
        """Run the model."""
        with inference(self._options) as device:
            return self._run(batch, device)
