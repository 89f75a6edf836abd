"""What a backbone is: its card, its checkpoint, and the contract of its encoder.

This module does not import torch: planning a run needs names, folders and digests only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from typing import Protocol
from typing import runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Waveform = npt.NDArray[np.float32]
    Frames = npt.NDArray[np.float32]

AudioPath = Literal["direct", "paper"]
"""``direct`` resamples once, to the backbone's rate; ``paper`` resamples to 16 kHz first."""

_VARIANT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

MAX_SECONDS = 30.0
"""Longer recordings are cut to their first 30 s (paper, section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneCard:
    """The facts about a backbone; an unknown fact is None."""

    id: str
    """Registered name, ``[a-z0-9-]``."""
    title: str
    family: str
    """Name of the loader: ``whisper``, ``wav2vec2``, ``w2v-bert``, ``clap``, ``none``."""
    checkpoint: str | None
    """Name on the Hugging Face hub; None for a backbone without weights."""
    revision: str | None = None
    """Pinned commit on the hub."""
    licence: str | None
    sample_rate: int
    """Sample rate of the encoder's input in hertz."""
    width: int
    """Numbers in one frame."""
    layers: int
    """Number of transformer layers; 0 without layers."""
    frame_rate: float
    """Frames per second of audio."""
    parameters: int | None
    """Number of parameters of the part that is used."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Other ways to run the same weights, with other frames: suffix to one sentence. The suffix
    ``exact`` is used as ``whisper-medium:exact``."""
    pretraining: str | None = None
    """Data and hours of the pre-training."""
    overlap: Mapping[str, str] = field(default_factory=dict)
    """Corpora of the benchmark that are known to overlap with the pre-training data: id to how."""
    notes: str | None = None
    tolerance: float = 1e-5
    """Upper bound of the relative difference of frames between batches."""
    demo: bool = False
    """True if it takes part only when it is named, or with ``--demo``."""
    floor: bool = False
    """True for features without pre-training. Reports mark it, and warn where it scores above an
    encoder: then a corpus can be solved without what pre-training brings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions:
    """The options of a backbone. All but `device` are part of the probe key."""

    layer: int | Literal["last"] = "last"
    variant: str | None = None
    """The part of a backbone name after the colon; None for the default."""
    dtype: str = "float32"
    """Precision of the forward pass: ``float32``, ``bfloat16``, ``float16``."""
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights that were found, and their identity, which does not depend on their folder."""

    name: str
    """Name on the hub, or name of the folder."""
    location: str | None
    """Folder on this machine; None for a backbone without weights."""
    revision: str | None
    """Resolved commit on the hub; None for a plain folder."""
    digest: str
    """SHA-256 of the weights and their configuration; of the settings, for a backbone without
    weights."""


def split_name(name: str) -> tuple[str, str | None]:
    """Split a name that the user typed into the name of a backbone and its variant.

    >>> split_name("whisper-medium:exact")
    ('whisper-medium', 'exact')
    >>> split_name("hf:openai/whisper-tiny:exact")
    ('hf:openai/whisper-tiny', 'exact')
    >>> split_name("hf:../weights/mine")
    ('hf:../weights/mine', None)
    """
    prefix, rest = ("hf:", name[3:]) if name.startswith("hf:") else ("", name)
    head, colon, variant = rest.rpartition(":")
    if not colon or not _VARIANT.fullmatch(variant):
        return name, None
    return prefix + head, variant


@runtime_checkable
class Encoder(Protocol):
    """A loaded backbone: waveforms in, frames out.

    The frames of an utterance do not depend on the rest of its batch, within the tolerance on the
    card.
    """

    @property
    def width(self) -> int:
        """Numbers in one frame."""

    @property
    def n_layers(self) -> int:
        """Number of layers whose means `encode` returns; 0 if it returns none."""

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames are kept of a waveform with this many samples.

        It is a pure function, and never exceeds the number of frames that the real audio fills.

        Args:
            n_samples: samples at the card's rate.
        """

    def cost(self, n_samples: int) -> int:
        """Return the cost of an utterance in the frame budget of a batch, in frames computed."""

    def prepare(self, waveforms: Sequence[Waveform]) -> Any:
        """Turn waveforms into model input on the host.

        It runs in worker threads in parallel with `encode`, so it must not use the device.

        Args:
            waveforms: mono at the card's rate, float32 of shape (samples,).

        Raises:
            AudioError: a waveform is empty or holds values that are not finite.
        """

    def encode(self, batch: Any) -> list[EncodedUtterance]:
        """Run the model on the output of `prepare`; return one result per waveform, in order."""


@dataclass(frozen=True, slots=True)
class EncodedUtterance:
    """The result of an encoder for one utterance."""

    frames: Frames
    """float32 of shape (frames, width)."""
    layer_means: Frames | None = None
    """float32 of shape (layers, width): mean of the kept frames of each layer."""


@runtime_checkable
class Backbone(Protocol):
    """The interface of a backbone; plugins register objects with it."""

    @property
    def card(self) -> BackboneCard:
        """The facts about the backbone."""

    def resolve(self, *, offline: bool) -> Checkpoint:
        """Find the weights without loading them.

        Args:
            offline: do not use the network.

        Raises:
            BackboneUnavailableError: they are not on this machine and cannot be downloaded; the
                hint says how to get them.
        """

    def load(self, checkpoint: Checkpoint, options: EncoderOptions) -> Encoder:
        """Load the weights.

        Raises:
            BackboneError: a weight is missing or an option does not apply.
        """
