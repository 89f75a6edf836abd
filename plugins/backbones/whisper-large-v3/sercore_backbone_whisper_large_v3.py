"""Whisper large v3: the encoder of OpenAI's speech recogniser."""

from __future__ import annotations

from sercore import TransformersBackbone
from sercore import hookimpl
from sercore import whisper_card

SERCORE_API = 1

WHISPER_LARGE_V3 = TransformersBackbone(
    whisper_card(
        id="whisper-large-v3",
        title="Whisper large v3",
        checkpoint="openai/whisper-large-v3",
        width=1280,
        layers=32,
        parameters=636_968_960,
        pretraining="5,000,000 hours of speech (paper, Table 2)",
    )
)


@hookimpl
def sercore_backbones() -> list[TransformersBackbone]:
    return [WHISPER_LARGE_V3]
