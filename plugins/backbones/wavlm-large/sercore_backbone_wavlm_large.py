"""WavLM Large: self-supervised with denoising and overlapped speech."""

from __future__ import annotations

from sercore import BackboneCard
from sercore import TransformersBackbone
from sercore import hookimpl

SERCORE_API = 1

WAVLM_LARGE = TransformersBackbone(
    BackboneCard(
        id="wavlm-large",
        title="WavLM Large",
        family="wav2vec2",
        checkpoint="microsoft/wavlm-large",
        licence=None,
        sample_rate=16_000,
        width=1024,
        layers=24,
        frame_rate=50.0,
        parameters=315_453_120,
        pretraining=(
            "94,000 hours: Libri-Light 60,000, GigaSpeech 10,000, VoxPopuli 24,000 (model card)"
        ),
        notes=(
            "The whole model is used. Table 2 of the paper counts the same part, cut off to whole "
            "millions. Its attention keeps the scores of every head, so long utterances count "
            "more in a frame budget."
        ),
    )
)


@hookimpl
def sercore_backbones() -> list[TransformersBackbone]:
    return [WAVLM_LARGE]
