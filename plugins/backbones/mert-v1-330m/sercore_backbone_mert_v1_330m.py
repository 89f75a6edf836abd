"""MERT v1 330M: self-supervised on music."""

from __future__ import annotations

from sercore import BackboneCard
from sercore import TransformersBackbone
from sercore import hookimpl

SERCORE_API = 1

MERT_V1_330M = TransformersBackbone(
    BackboneCard(
        id="mert-v1-330m",
        title="MERT v1 330M",
        family="wav2vec2",
        checkpoint="m-a-p/MERT-v1-330M",
        licence="CC-BY-NC-4.0 (model card)",
        sample_rate=24_000,
        width=1024,
        layers=24,
        frame_rate=75.0,
        parameters=315_428_992,
        pretraining="160,000 hours of music (paper, Table 2)",
        notes=(
            "The whole model is used. Table 2 of the paper counts the same part, cut off to whole "
            "millions. MERT is a HuBERT model and is loaded as one; the code in its checkpoint is "
            "not run. Its first group normalisation uses real frames only. In the published "
            "features of the benchmark an utterance depended on its batch."
        ),
    )
)


@hookimpl
def sercore_backbones() -> list[TransformersBackbone]:
    return [MERT_V1_330M]
