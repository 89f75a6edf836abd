"""Whisper large: the encoder of OpenAI's speech recogniser."""

from __future__ import annotations

from sercore import BackboneCard
from sercore import TransformersBackbone
from sercore import hookimpl

SERCORE_API = 1

WHISPER_LARGE = TransformersBackbone(
    BackboneCard(
        id="whisper-large",
        title="Whisper large",
        family="whisper",
        checkpoint="openai/whisper-large",
        licence=None,
        sample_rate=16_000,
        width=1280,
        layers=32,
        frame_rate=50.0,
        parameters=636_784_640,
        variants={
            "exact": "the encoder runs on the utterance's own length instead of a window of 30 s"
        },
        pretraining="680,000 hours of speech (paper, Table 2)",
        notes=(
            "Only the encoder is used, its table of positions included; Table 2 counts the "
            "same part, cut off to whole millions."
        ),
    )
)


@hookimpl
def sercore_backbones() -> list[TransformersBackbone]:
    return [WHISPER_LARGE]
