"""What a demo corpus records, and under which conditions: values that its parts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sercore.corpora.labels import Emotion


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What sets one demo corpus apart from another; the defaults are a quiet studio."""

    strength: float = 1.0
    """How strongly the rules of `sercore.demo.prosody` are followed; 0 is no expression."""
    spontaneity: float = 0.3
    """How much an utterance strays from its rule, 0 to 1."""
    rate: float = 1.0
    """Speaking rate of everybody, as a factor."""
    gain: float = 0.0
    """Recording level in decibels."""
    tilt: float = 0.0
    """Spectral tilt of the microphone in decibels per octave."""
    band: tuple[float, float] = (50.0, 7600.0)
    """Lower and upper edge of what the channel passes, in hertz."""
    reverberation: float = 0.0
    """Time in seconds in which the room's echo falls by 60 dB; 0 is no room."""
    noise: float = -75.0
    """Level of the background noise in decibels relative to full scale."""


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance to record."""

    speaker: str
    emotion: Emotion
    sentence: str
    take: str

    @property
    def path(self) -> str:
        """The file's path inside the corpus."""
        name = f"{self.speaker}_{self.emotion.value}_{self.sentence}_{self.take}.wav"
        return f"{self.speaker}/{name}"
