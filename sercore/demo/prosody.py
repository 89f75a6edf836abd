"""How each emotion sounds in the demo corpora: five rules of prosody and two of the voice.

The directions are the textbook ones (anger loud, bright and fast; sadness low, soft and slow;
surprise high with a final rise). The sizes are chosen for a demonstration, not measured on people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sercore.corpora.labels import Emotion


@dataclass(frozen=True, slots=True, kw_only=True)
class Prosody:
    """How an utterance differs from a neutral one of the same speaker; the default is neutral."""

    level: float = 0.0
    """Pitch level in semitones."""
    spread: float = 1.0
    """Pitch range, as a factor."""
    rate: float = 1.0
    """Syllables per second, as a factor."""
    energy: float = 0.0
    """Loudness in decibels."""
    tilt: float = 0.0
    """Spectral tilt in decibels per octave; more is brighter."""
    ending: float = -2.0
    """How far the pitch of the last syllable moves, in semitones."""
    tremor: float = 0.0
    """Depth of a 6 Hz wavering of the pitch, in semitones."""
    creak: float = 0.0
    """How much weaker every second glottal pulse is, 0 to 1."""
    breath: float = 0.0
    """Noise of the breath mixed into the voice, as a share of its amplitude."""

    def scaled(self, strength: float) -> Prosody:
        """Return the same expression more or less strongly; 0 is neutral, 1 is this one."""
        return Prosody(
            level=self.level * strength,
            spread=self.spread**strength,
            rate=self.rate**strength,
            energy=self.energy * strength,
            tilt=self.tilt * strength,
            ending=NEUTRAL.ending + (self.ending - NEUTRAL.ending) * strength,
            tremor=self.tremor * strength,
            creak=min(self.creak * strength, 1.0),
            breath=self.breath * strength,
        )


NEUTRAL = Prosody()

RULES: Mapping[Emotion, Prosody] = {
    Emotion.HAPPINESS: Prosody(level=3.5, spread=1.9, rate=1.1, energy=3.0, tilt=1.2, ending=1.0),
    Emotion.SADNESS: Prosody(
        level=-2.0, spread=0.5, rate=0.8, energy=-6.0, tilt=-3.0, ending=-3.0, breath=0.12
    ),
    Emotion.DISGUST: Prosody(
        level=-3.0, spread=0.8, rate=0.86, energy=-1.0, tilt=-0.5, ending=-4.0, creak=0.4
    ),
    Emotion.FEAR: Prosody(
        level=6.0, spread=0.7, rate=1.2, energy=-1.0, ending=0.0, tremor=0.9, breath=0.3
    ),
    Emotion.SURPRISE: Prosody(level=5.0, spread=2.2, rate=0.95, energy=2.0, tilt=0.4, ending=7.0),
    Emotion.ANGER: Prosody(level=2.5, spread=1.5, rate=1.18, energy=7.0, tilt=3.0, ending=-4.0),
    Emotion.NEUTRAL: NEUTRAL,
}
