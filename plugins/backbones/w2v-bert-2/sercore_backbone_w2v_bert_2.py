"""w2v-BERT 2.0: Meta's conformer behind Seamless."""

from __future__ import annotations

from sercore import BackboneCard
from sercore import TransformersBackbone
from sercore import hookimpl

SERCORE_API = 1

W2V_BERT_2 = TransformersBackbone(
    BackboneCard(
        id="w2v-bert-2",
        title="w2v-BERT 2.0",
        family="w2v-bert",
        checkpoint="facebook/w2v-bert-2.0",
        licence="mit (model card)",
        sample_rate=16_000,
        width=1024,
        layers=24,
        frame_rate=50.0,
        parameters=580_493_120,
        pretraining="4,500,000 hours of speech (paper, Table 2)",
        notes=(
            "The whole model without its adapter is used. Table 2 of the paper counts the same "
            "part, cut off to whole millions. The extractor's mask is used; the published features "
            "of the benchmark ignored it."
        ),
    )
)


@hookimpl
def sercore_backbones() -> list[TransformersBackbone]:
    return [W2V_BERT_2]
