"""HuBERT Large: self-supervised on Libri-Light."""

from __future__ import annotations

from sercore import BackboneCard
from sercore import TransformersBackbone
from sercore import hookimpl

SERCORE_API = 1

HUBERT_LARGE = TransformersBackbone(
    BackboneCard(
        id="hubert-large",
        title="HuBERT Large",
        family="wav2vec2",
        checkpoint="facebook/hubert-large-ll60k",
        licence="apache-2.0 (model card)",
        sample_rate=16_000,
        width=1024,
        layers=24,
        frame_rate=50.0,
        parameters=315_438_720,
        pretraining="60,000 hours of Libri-Light (paper, Table 2)",
        notes=(
            "The whole model is used. Table 2 of the paper counts the same part, cut off to whole "
            "millions."
        ),
    )
)


@hookimpl
def sercore_backbones() -> list[TransformersBackbone]:
    return [HUBERT_LARGE]
