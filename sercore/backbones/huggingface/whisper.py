"""Whisper's encoder.

``full`` (the default) runs Whisper as it was trained: on log-mel frames of a window of 30 s, padded
with silence. Of the 1500 output frames those of the real audio are kept. The silence takes part in
the attention. ``exact`` runs the same weights on the length of the utterance; its frames differ
from those of ``full``.

Frames kept of n samples: n // 320, at least one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import torch

from sercore.backbones.huggingface.encoding import LayeredEncoder
from sercore.backbones.huggingface.encoding import Prepared
from sercore.backbones.huggingface.encoding import additive_mask
from sercore.backbones.huggingface.encoding import check_options
from sercore.backbones.huggingface.encoding import clean_waveforms
from sercore.backbones.huggingface.encoding import inference
from sercore.backbones.huggingface.models import load_extractor
from sercore.backbones.huggingface.models import load_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sercore.backbones.interface import BackboneCard
    from sercore.backbones.interface import EncodedUtterance
    from sercore.backbones.interface import EncoderOptions
    from sercore.backbones.interface import Waveform


def load(folder: Path, card: BackboneCard, options: EncoderOptions) -> WhisperEncoder:
    """Load the encoder half of a Whisper checkpoint.

    Raises:
        BackboneError: a weight is missing or an option does not apply.
    """
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder as Model

    check_options(options)
    model = load_model(
        Model,
        folder,
        options,
        renamed={r"^(model\.)?encoder\.": ""},
        dropped=("model.decoder.", "decoder.", "proj_out."),
    )
    extractor = load_extractor(WhisperFeatureExtractor, folder)
    encoder_class = WhisperExactEncoder if options.variant == "exact" else WhisperEncoder
    return encoder_class(model, extractor, card, options)


class WhisperEncoder(LayeredEncoder):
    """Whisper on windows of 30 s, as trained.

    Args:
        model: the encoder half of the checkpoint.
        extractor: computes log-mel frames.
        card: the backbone's facts.
        options: layer, precision, device.
    """

    def __init__(
        self, model: Any, extractor: Any, card: BackboneCard, options: EncoderOptions
    ) -> None:
        super().__init__(model, model.layers, extractor, card, options)
        self._window = int(model.config.max_source_positions)
        # Samples per output frame: the second convolution joins two mel frames.
        self._hop = 2 * int(extractor.hop_length)

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames are kept: as many as the real audio fills, at least one."""
        return min(max(n_samples // self._hop, 1), self._window)

    def cost(self, n_samples: int) -> int:
        """Return the number of frames computed for an utterance: always a whole window."""
        del n_samples
        return self._window

    def prepare(self, waveforms: Sequence[Waveform]) -> Prepared:
        """Turn waveforms into log-mel frames of a window of 30 s."""
        waveforms = clean_waveforms(waveforms, self._rate, self._hop)
        features = self._extractor(waveforms, sampling_rate=self._rate, return_tensors="pt")
        return Prepared(
            {"input_features": features["input_features"]},
            tuple(self.n_frames(len(waveform)) for waveform in waveforms),
        )

    def encode(self, batch: Prepared) -> list[EncodedUtterance]:
        """Run the encoder."""
        with inference(self._options) as device:
            self._tap.begin(batch.n_frames)
            features = batch.inputs["input_features"].to(device, non_blocking=True)
            return self._tap.finish(self._model(features).last_hidden_state)


class WhisperExactEncoder(WhisperEncoder):
    """Whisper on the length of each utterance.

    Shorter utterances of a batch are padded. Their mel frames past the end are zero, like the
    padding of the convolutions, and the attention masks padded frames.
    """

    def cost(self, n_samples: int) -> int:
        """Return the number of frames computed for an utterance."""
        return self.n_frames(n_samples)

    def prepare(self, waveforms: Sequence[Waveform]) -> Prepared:
        """Turn waveforms into log-mel frames of the length of the longest."""
        waveforms = clean_waveforms(waveforms, self._rate, self._hop)
        n_frames = tuple(self.n_frames(len(waveform)) for waveform in waveforms)
        # The margin of silence is needed because the spectrogram mirrors the signal at its edge.
        longest = max(map(len, waveforms)) + self._extractor.n_fft
        features = self._extractor(
            waveforms,
            sampling_rate=self._rate,
            return_tensors="pt",
            max_length=-(-longest // self._hop) * self._hop,
        )
        mel = features["input_features"][:, :, : 2 * max(n_frames)].clone()
        for row, count in zip(mel, n_frames, strict=True):
            row[:, 2 * count :] = 0
        return Prepared({"input_features": mel}, n_frames)

    def encode(self, batch: Prepared) -> list[EncodedUtterance]:
        """Run the encoder."""
        model = self._model
        with inference(self._options) as device:
            self._tap.begin(batch.n_frames)
            mel = batch.inputs["input_features"].to(device, non_blocking=True)
            hidden = torch.nn.functional.gelu(model.conv1(mel))
            hidden = torch.nn.functional.gelu(model.conv2(hidden)).transpose(1, 2)
            hidden = hidden + model.embed_positions.weight[: hidden.shape[1]]
            mask = self._mask(batch.n_frames, hidden)
            for layer in model.layers:
                output = layer(hidden, mask)
                hidden = output[0] if isinstance(output, tuple) else output
            return self._tap.finish(model.layer_norm(hidden))

    def _mask(self, n_frames: tuple[int, ...], hidden: torch.Tensor) -> torch.Tensor | None:
        longest = hidden.shape[1]
        if min(n_frames) == longest:
            return None
        counts = torch.tensor(n_frames, device=hidden.device)
        real = torch.arange(longest, device=hidden.device) < counts[:, None]
        return additive_mask(real, hidden.dtype)
