"""Whisper large: the encoder of OpenAI's speech recogniser."""

from __future__ import annotations

from sercore import TransformersBackbone
from sercore import hookimpl
from sercore import whisper_card

SERCORE_API = 1

WHISPER_LARGE = TransformersBackbone(
    whisper_card(
        id="whisper-large",
        title="Whisper large",
        checkpoint="openai/whisper-large",
        width=1280,
        layers=32,
        parameters=636_784_640,
        pretraining="680,000 hours of speech (paper, Table 2)",
    )
)


@hookimpl
def sercore_backbones() -> list[TransformersBackbone]:
    return [WHISPER_LARGE]
