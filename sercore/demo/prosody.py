"""The sound of every emotion in the demo corpora: rules for prosody and voice.

The directions follow textbooks (anger is loud, bright and fast; sadness is low, soft and slow;
surprise is high with a final rise). The sizes are chosen for the demonstration, not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sercore.corpora.labels import Emotion


@dataclass(frozen=True, slots=True, kw_only=True)
class Prosody:
    """The difference from a neutral utterance of the same speaker; the default is neutral."""

    level: float = 0.0
    """Pitch level in semitones."""
    spread: float = 1.0
    """Pitch range, as a factor."""
    rate: float = 1.0
    """Syllables per second, as a factor."""
    energy: float = 0.0
    """Loudness in decibels."""
    tilt: float = 0.0
    """Spectral tilt in decibels per octave; higher values sound brighter."""
    ending: float = -2.0
    """Pitch movement of the last syllable in semitones."""
    tremor: float = 0.0
    """Depth of a pitch vibrato of 6 Hz in semitones."""
    creak: float = 0.0
    """Attenuation of every second glottal pulse, 0 to 1."""
    breath: float = 0.0
    """Breath noise as a share of the amplitude of the voice."""

    def scaled(self, strength: float) -> Prosody:
        """Return the same expression at another strength; 0 is neutral, 1 is unchanged."""
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
