"""Whisper medium: the encoder of OpenAI's speech recogniser."""

from __future__ import annotations

from sercore import TransformersBackbone
from sercore import hookimpl
from sercore import whisper_card

SERCORE_API = 1

WHISPER_MEDIUM = TransformersBackbone(
    whisper_card(
        id="whisper-medium",
        title="Whisper medium",
        checkpoint="openai/whisper-medium",
        width=1024,
        layers=24,
        parameters=307_216_384,
        pretraining="680,000 hours of speech (paper, Table 2)",
    )
)


@hookimpl
def sercore_backbones() -> list[TransformersBackbone]:
    return [WHISPER_MEDIUM]
