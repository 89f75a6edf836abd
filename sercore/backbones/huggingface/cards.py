"""Facts that published checkpoints of one architecture share, stated once for their cards."""

from __future__ import annotations

from sercore.backbones.huggingface.families import family_named
from sercore.backbones.interface import BackboneCard


def whisper_card(
    *,
    id: str,  # noqa: A002 - the name of the card's field
    title: str,
    checkpoint: str,
    width: int,
    layers: int,
    parameters: int,
    pretraining: str,
    licence: str | None = None,
) -> BackboneCard:
    """Return the card of a Whisper checkpoint by OpenAI.

    Every checkpoint of Whisper hears 16 kHz, gives 50 frames per second and has the variant
    ``exact``. Only its encoder is used. The arguments are the facts in which checkpoints differ;
    see `sercore.BackboneCard` for their meaning.
    """
    family = family_named("whisper")
    return BackboneCard(
        id=id,
        title=title,
        family=family.id,
        checkpoint=checkpoint,
        licence=licence,
        sample_rate=16_000,
        width=width,
        layers=layers,
        frame_rate=50.0,
        parameters=parameters,
        variants=family.variants,
        pretraining=pretraining,
        notes=(
            "Only the encoder is used, with its table of positions. Table 2 of the paper counts "
            "the same part, cut off to whole millions."
        ),
        tolerance=family.tolerance,
    )
