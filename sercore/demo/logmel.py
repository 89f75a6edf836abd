"""The baseline without weights: log-mel filterbank frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.backbones.interface import MAX_SECONDS
from sercore.backbones.interface import BackboneCard
from sercore.backbones.interface import Checkpoint
from sercore.backbones.interface import EncodedUtterance
from sercore.backbones.interface import EncoderOptions
from sercore.errors import BackboneError
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    import torch

    from sercore.backbones.interface import Waveform

_RATE = 16_000
_MEL_BINS = 80
_WINDOW = 400  # samples: 25 ms
_HOP = 160  # samples: 10 ms
_STACK = 2  # filterbank frames per frame of the backbone: 20 ms, like most speech backbones
_SHORTEST = _WINDOW + (_STACK - 1) * _HOP

# Two constants bring log energies of speech near zero mean and unit deviation. Statistics of an
# utterance would remove its loudness, and statistics of a batch would leak between utterances.
_CENTRE = 13.8
_SCALE = 4.0
_FLOOR = 0.0  # log energy; below the rounding noise of 16-bit audio

_SETTINGS = {
    "features": "kaldi fbank",
    "sample_rate": _RATE,
    "mel_bins": _MEL_BINS,
    "window": _WINDOW,
    "hop": _HOP,
    "stack": _STACK,
    "centre": _CENTRE,
    "scale": _SCALE,
    "floor": _FLOOR,
}


@dataclass(frozen=True)
class LogMel:
    """The baseline as a backbone; it has no weights to download or load."""

    card: BackboneCard

    def resolve(self, *, offline: bool) -> Checkpoint:
        """Return a checkpoint without weights; its digest is that of the settings."""
        del offline
        return Checkpoint(
            name=self.card.id, location=None, revision=None, digest=digest_of(_SETTINGS)
        )

    def load(self, checkpoint: Checkpoint, options: EncoderOptions) -> LogMelEncoder:
        """Return the encoder.

        It computes in float32 for every `EncoderOptions.dtype`, because it has no weights whose
        precision could be reduced, and ``--dtype`` applies to all backbones of a run.

        Raises:
            BackboneError: the options name a layer or a variant.
        """
        del checkpoint
        if options.layer not in ("last", 0):
            raise BackboneError(
                f"{self.card.id} has no layer {options.layer}", hint="leave out --layer"
            )
        if options.variant is not None:
            raise BackboneError(
                f"{self.card.id} has no variant '{options.variant}'",
                hint=f"name it as '{self.card.id}'",
            )
        return LogMelEncoder(options.device)


class LogMelEncoder:
    """Filterbank frames of 25 ms every 10 ms; two of them make one frame of 20 ms.

    Each utterance is transformed separately, so its frames do not depend on its batch.

    Args:
        device: where to compute, ``cpu`` or ``cuda[:n]``.
    """

    width = _MEL_BINS * _STACK
    n_layers = 0

    def __init__(self, device: str = "cpu") -> None:
        self._device = device

    def n_frames(self, n_samples: int) -> int:
        """Return how many whole 20 ms frames fit into the first 30 s of a waveform; at least one.

        Frame ``i`` covers samples ``320 i`` to ``320 i + 560``. A waveform shorter than one frame
        (560 samples, 35 ms) is padded with zeros up to it.
        """
        heard = max(min(n_samples, round(MAX_SECONDS * _RATE)), _SHORTEST)
        filterbank_frames = 1 + (heard - _WINDOW) // _HOP
        return filterbank_frames // _STACK

    def cost(self, n_samples: int) -> int:
        """Return the number of frames computed for a waveform; all of them are kept."""
        return self.n_frames(n_samples)

    def prepare(self, waveforms: Sequence[Waveform]) -> list[torch.Tensor]:
        """Return waveforms as float32 tensors of shape (1, samples), at least one frame long.

        Raises:
            AudioError: a waveform is empty, or holds values that are not finite.
        """
        import torch

        from sercore.backbones.huggingface.encoding import clean_waveforms

        cleaned = clean_waveforms(waveforms, _RATE, _SHORTEST)
        return [torch.from_numpy(waveform).unsqueeze(0) for waveform in cleaned]

    def encode(self, batch: Sequence[torch.Tensor]) -> list[EncodedUtterance]:
        """Return the frames of each waveform, float32 of shape (frames, 160)."""
        return [self._encode_one(waveform) for waveform in batch]

    def _encode_one(self, waveform: torch.Tensor) -> EncodedUtterance:
        from torchaudio.compliance import kaldi

        energies = kaldi.fbank(
            waveform.to(self._device) * 32768,  # Kaldi defines its features for this range
            num_mel_bins=_MEL_BINS,
            sample_frequency=float(_RATE),
            frame_length=1000.0 * _WINDOW / _RATE,
            frame_shift=1000.0 * _HOP / _RATE,
            window_type="hanning",
            dither=0.0,
        )
        scaled = (energies.clamp_min(_FLOOR) - _CENTRE) / _SCALE
        whole = len(scaled) - len(scaled) % _STACK
        return EncodedUtterance(scaled[:whole].reshape(-1, self.width).cpu().numpy())


LOGMEL = LogMel(
    card=BackboneCard(
        id="logmel",
        title="Log-mel filterbank (no weights)",
        family="none",
        checkpoint=None,
        licence="Apache-2.0",
        sample_rate=_RATE,
        width=LogMelEncoder.width,
        layers=0,
        frame_rate=_RATE / (_HOP * _STACK),
        parameters=0,
        notes="the baseline that every pre-trained backbone should exceed",
        demo=True,
        floor=True,
    )
)
