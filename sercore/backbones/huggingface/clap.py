"""CLAP's audio tower.

Its input is always 10 s long. The extractor repeats shorter clips a whole number of times and pads
them with zeros. From longer clips the published extractor takes 10 s at random; this module takes
the middle 10 s, so that a file gives the same frames in every call and batch. The variant
``windows`` covers a longer clip with as many windows as it needs, spaced evenly.

Frames kept: 64 per window, before pooling and projection: 2 groups of frequencies, one after the
other, of 32 time steps each. The number does not depend on the length of the clip. CLAP is the one
exception to the rule that frames never exceed the real audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.backbones.huggingface.encoding import Prepared
from sercore.backbones.huggingface.encoding import TransformersEncoder
from sercore.backbones.huggingface.encoding import check_options
from sercore.backbones.huggingface.encoding import clean_waveforms
from sercore.backbones.huggingface.encoding import inference
from sercore.backbones.huggingface.encoding import split_rows
from sercore.backbones.huggingface.models import load_extractor
from sercore.backbones.huggingface.models import load_model
from sercore.backbones.interface import MAX_SECONDS
from sercore.backbones.interface import EncodedUtterance
from sercore.errors import BackboneError

if TYPE_CHECKING:
    from pathlib import Path

    from sercore.backbones.interface import BackboneCard
    from sercore.backbones.interface import EncoderOptions
    from sercore.backbones.interface import Waveform


def load(folder: Path, card: BackboneCard, options: EncoderOptions) -> ClapEncoder:
    """Load the audio tower of a CLAP checkpoint.

    Raises:
        BackboneError: a weight is missing or an option does not apply.
    """
    from transformers import ClapAudioModel
    from transformers import ClapFeatureExtractor

    check_options(options)
    if options.layer != "last":
        raise BackboneError(
            f"{card.id} has no layer {options.layer}",
            hint="choose --layer last: the stages of CLAP differ in width and grid",
        )
    model = load_model(
        ClapAudioModel,
        folder,
        options,
        renamed={r"^audio_model\.": ""},
        dropped=("text_model.", "text_projection.", "audio_projection.", "logit_scale_"),
    )
    if model.config.enable_fusion:
        raise BackboneError(
            f"the checkpoint {folder} fuses random crops of long clips, which sercore does not "
            "support",
            hint="use a CLAP checkpoint without fusion",
        )
    extractor = load_extractor(ClapFeatureExtractor, folder)
    return ClapEncoder(model, extractor, card, options)


class ClapEncoder(TransformersEncoder):
    """CLAP's audio tower on windows of 10 s.

    Args:
        model: the audio tower.
        extractor: computes log-mel images.
        card: the backbone's facts.
        options: variant, precision, device.
    """

    n_layers = 0
    """There are no layer means, because the stages differ in width."""

    def __init__(
        self, model: Any, extractor: Any, card: BackboneCard, options: EncoderOptions
    ) -> None:
        super().__init__(model, extractor, card, options)
        self._window = int(extractor.nb_max_samples)
        self._mel_frames = self._window // int(extractor.hop_length) + 1
        config = model.config
        side = int(config.spec_size) // int(config.patch_stride[0]) >> (len(config.depths) - 1)
        self._frames_of_window = side * side

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames are kept: 64 per window of 10 s."""
        return self._frames_of_window * self._n_windows(n_samples)

    def cost(self, n_samples: int) -> int:
        """Return the number of log-mel frames computed: always whole windows."""
        return self._mel_frames * self._n_windows(n_samples)

    def prepare(self, waveforms: Sequence[Waveform]) -> Prepared:
        """Turn waveforms into log-mel images, one per window."""
        waveforms = clean_waveforms(waveforms, self._rate, 1)
        windows = [window for waveform in waveforms for window in self._cut(waveform)]
        # No window is longer than 10 s, so the extractor crops nothing at random.
        inputs = self._extractor(
            windows, truncation="rand_trunc", sampling_rate=self._rate, return_tensors="pt"
        )
        return Prepared(
            {"input_features": inputs["input_features"].float()},
            tuple(self.n_frames(len(waveform)) for waveform in waveforms),
        )

    def encode(self, batch: Prepared) -> list[EncodedUtterance]:
        """Run the audio tower."""
        with inference(self._options) as device:
            images = batch.inputs["input_features"].to(device)
            grid = self._model(input_features=images).last_hidden_state
            # Shape (window, channel, frequency, time); frequency groups one after the other.
            frames = grid.flatten(2).transpose(1, 2)
            flat = frames.reshape(1, -1, frames.shape[-1])
            joined = split_rows(flat, [flat.shape[1]])[0]
        cuts = np.cumsum(batch.n_frames)[:-1]
        return [EncodedUtterance(frames) for frames in np.split(joined, cuts)]

    def _n_windows(self, n_samples: int) -> int:
        if self._options.variant != "windows":
            return 1
        longest = round(MAX_SECONDS * self._rate)
        return max(-(-min(n_samples, longest) // self._window), 1)

    def _cut(self, waveform: Waveform) -> list[Waveform]:
        spare = len(waveform) - self._window
        if spare <= 0:
            return [waveform]
        count = self._n_windows(len(waveform))
        if count == 1:
            starts = [spare // 2]
        else:
            starts = [round(spare * position / (count - 1)) for position in range(count)]
        return [waveform[start : start + self._window] for start in starts]
