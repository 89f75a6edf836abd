"""CLAP's audio tower.

It sees 10 s, always. Shorter clips are repeated a whole number of times and filled up with zeros,
as its extractor does. Of longer ones the published extractor takes 10 s at random; here it is
their middle, so that the same file gives the same frames on every call and in every batch. The
variant ``windows`` covers a longer clip with as many windows as it needs, spread evenly.

Frames kept: 64 for each window (2 groups of frequencies x 32 steps in time, the groups one after
the other, before pooling and projection), however short the clip is. They are the one exception to
the rule that frames never exceed the real audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.backbones.huggingface.encoding import Prepared
from sercore.backbones.huggingface.encoding import check_options
from sercore.backbones.huggingface.encoding import clean
from sercore.backbones.huggingface.encoding import running
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
            f"{card.id} has no layer {options.layer} to choose",
            hint="its stages differ in width and grid: only 'last' gives frames",
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
            f"the checkpoint {folder} fuses random crops of long clips, which has no loader",
            hint="use a CLAP checkpoint without fusion",
        )
    extractor = load_extractor(ClapFeatureExtractor, folder)
    return ClapEncoder(model, extractor, card, options)


class ClapEncoder:
    """CLAP's audio tower on windows of 10 s.

    Args:
        model: the audio tower.
        extractor: makes log-mel images.
        card: the backbone's facts.
        options: variant, precision, device.
    """

    n_layers = 0
    """Its stages differ in width: there are no layer means."""

    def __init__(
        self, model: Any, extractor: Any, card: BackboneCard, options: EncoderOptions
    ) -> None:
        self._model = model
        self._extractor = extractor
        self._options = options
        self._rate = card.sample_rate
        self._window = int(extractor.nb_max_samples)
        self._mel_frames = self._window // int(extractor.hop_length) + 1
        config = model.config
        side = int(config.spec_size) // int(config.patch_stride[0]) >> (len(config.depths) - 1)
        self._frames_of_window = side * side

    @property
    def width(self) -> int:
        """Numbers in one frame."""
        return int(self._model.config.hidden_size)

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames are kept: 64 for each window of 10 s."""
        return self._frames_of_window * self._n_windows(n_samples)

    def cost(self, n_samples: int) -> int:
        """Return the log-mel frames computed for an utterance: always whole windows."""
        return self._mel_frames * self._n_windows(n_samples)

    def prepare(self, waveforms: Sequence[Waveform]) -> Prepared:
        """Turn waveforms into log-mel images, one for each window."""
        waveforms = clean(waveforms, self._rate, 1)
        windows = [window for waveform in waveforms for window in self._cut(waveform)]
        # No window is longer than 10 s, so that the extractor has nothing to crop at random.
        inputs = self._extractor(
            windows, truncation="rand_trunc", sampling_rate=self._rate, return_tensors="pt"
        )
        return Prepared(
            {"input_features": inputs["input_features"].float()},
            tuple(self.n_frames(len(each)) for each in waveforms),
        )

    def encode(self, batch: Prepared) -> list[EncodedUtterance]:
        """Run the audio tower."""
        with running(self._options) as device:
            images = batch.inputs["input_features"].to(device)
            grid = self._model(input_features=images).last_hidden_state
            # (window, channel, frequency, time): frequency groups one after the other.
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
