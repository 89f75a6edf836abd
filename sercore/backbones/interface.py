"""What a backbone is: its card, where its weights are, and the encoder contract.

Nothing here imports torch: planning a run needs names, places and digests only.
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
"""``direct``: resampled once to the backbone's rate; ``paper``: to 16 kHz first, then on."""

_VARIANT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

MAX_SECONDS = 30.0
"""Longer recordings are cut to their first 30 s (paper, section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneCard:
    """The facts about a backbone; what is not known is None, never a guess."""

    id: str
    """Registered name, ``[a-z0-9-]``."""
    title: str
    family: str
    """The loader that reads it: ``whisper``, ``wav2vec2``, ``w2v-bert``, ``clap``, ``none``."""
    checkpoint: str | None
    """Name on the Hugging Face hub; None for a backbone without weights."""
    revision: str | None = None
    """Pinned commit, where it is known."""
    licence: str | None
    sample_rate: int
    """Hertz that the encoder expects."""
    width: int
    """Numbers in one frame."""
    layers: int
    """Transformer layers (0 for none)."""
    frame_rate: float
    """Frames per second of audio."""
    parameters: int | None
    """Parameters of the part that is used."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Other features of the same weights by suffix (``exact``: ``whisper-medium:exact``), each
    with one sentence."""
    pretraining: str | None = None
    """Training data and hours."""
    overlap: Mapping[str, str] = field(default_factory=dict)
    """Corpora of the benchmark that its pre-training data is known to touch, with how."""
    notes: str | None = None
    tolerance: float = 1e-5
    """Relative difference within which frames do not depend on the rest of the batch."""
    demo: bool = False
    """Joins a run only by name or with ``--demo``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions:
    """What a user may choose about a backbone. All but `device` are part of the probe key."""

    layer: int | Literal["last"] = "last"
    variant: str | None = None
    """The part after the colon of a backbone name; None for the card's default."""
    dtype: str = "float32"
    """Precision of the forward pass: ``float32``, ``bfloat16``, ``float16``."""
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights that were found, and what identifies them whatever folder they lie in."""

    name: str
    """What the user would call it: the hub name, or the folder's name."""
    location: str | None
    """Folder on this disk; None for a backbone without weights."""
    revision: str | None
    """Resolved commit on the hub; None for a plain folder."""
    digest: str
    """SHA-256 over the weights and their configuration (for a backbone without weights: over
    its settings)."""


def split_name(name: str) -> tuple[str, str | None]:
    """Cut what the user typed into the name of a backbone and its variant.

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

    The frames of an utterance do not depend on what else is in its batch, within the tolerance
    that the card states.
    """

    @property
    def width(self) -> int:
        """Numbers in one frame."""

    @property
    def n_layers(self) -> int:
        """Layers whose pooled means `encode` returns (0 if it returns none)."""

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames are kept of a waveform of this many samples at the card's rate.

        A pure function; never more than the real audio fills.
        """

    def cost(self, n_samples: int) -> int:
        """Return what an utterance adds to the frame budget of a batch, in frames computed."""

    def prepare(self, waveforms: Sequence[Waveform]) -> Any:
        """Turn mono waveforms at the card's rate into model input on the host.

        Runs in worker threads beside `encode`, so it must not touch the device.
        """

    def encode(self, batch: Any) -> list[EncodedUtterance]:
        """Run the model on prepared input; one result per waveform, in order."""


@dataclass(frozen=True, slots=True)
class EncodedUtterance:
    """What an encoder returns for one utterance."""

    frames: Frames
    """float32 of shape (frames, width)."""
    layer_means: Frames | None = None
    """float32 of shape (layers, width): mean over the kept frames of each layer."""


@runtime_checkable
class Backbone(Protocol):
    """What a backbone plugin registers."""

    @property
    def card(self) -> BackboneCard:
        """The facts about the backbone."""

    def resolve(self, *, offline: bool) -> Checkpoint:
        """Find the weights without loading them.

        Args:
            offline: never ask the network.

        Raises:
            BackboneUnavailableError: they are neither on this machine nor reachable; the hint
                says how to get them.
        """

    def load(self, checkpoint: Checkpoint, options: EncoderOptions) -> Encoder:
        """Load the weights.

        Raises:
            BackboneError: a weight is missing or an option does not apply.
        """
