"""w2v-BERT 2.0: a conformer over stacked log-mel frames.

The extractor stacks pairs of 10 ms frames and pads an odd number with one; a frame that is half
padding is masked out. The mask is therefore needed even for a single utterance.

Frames kept of n samples: ((n - 400) // 160 + 1) // 2, at least one: shorter clips are filled up
with zeros to 560 samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

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

_WINDOW = 400
_HOP = 160
"""Samples of one mel frame and from one to the next; fixed in the extractor's code."""

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
        raise BackboneError(f"the checkpoint {folder} sets add_adapter, which has no loader")
    model = load_model(Wav2Vec2BertModel, folder, options, dropped=_HEADS)
    extractor = load_extractor(SeamlessM4TFeatureExtractor, folder)
    return ConformerEncoder(model, extractor, card, options)


class ConformerEncoder:
    """A conformer over stacked log-mel frames.

    Args:
        model: the base model.
        extractor: makes, normalises, stacks and pads log-mel frames.
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
        self._stride = int(extractor.stride)
        self._shortest = _WINDOW + _HOP * (self._stride - 1)
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
        return ((count - _WINDOW) // _HOP + 1) // self._stride

    def cost(self, n_samples: int) -> int:
        """Return the frames computed for an utterance, weighted for explicit attention."""
        return cost_of_explicit_attention(self.n_frames(n_samples))

    def prepare(self, waveforms: Sequence[Waveform]) -> Prepared:
        """Turn waveforms into stacked log-mel frames, each utterance normalised alone."""
        waveforms = clean(waveforms, self._rate, self._shortest)
        inputs = self._extractor(
            waveforms, sampling_rate=self._rate, padding=True, return_tensors="pt"
        )
        return Prepared(dict(inputs), tuple(self.n_frames(len(each)) for each in waveforms))

    def encode(self, batch: Prepared) -> list[EncodedUtterance]:
        """Run the model."""
        with running(self._options) as device:
            inputs = {name: each.to(device) for name, each in batch.inputs.items()}
            self._tap.begin(batch.n_frames)
            return self._tap.finish(self._model(**inputs).last_hidden_state)
