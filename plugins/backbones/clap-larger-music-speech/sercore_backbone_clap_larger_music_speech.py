"""CLAP, larger, music and speech: the audio tower."""

from __future__ import annotations

from sercore import BackboneCard
from sercore import TransformersBackbone
from sercore import hookimpl

SERCORE_API = 1

CLAP_LARGER_MUSIC_SPEECH = TransformersBackbone(
    BackboneCard(
        id="clap-larger-music-speech",
        title="CLAP larger (music and speech)",
        family="clap",
        checkpoint="laion/larger_clap_music_and_speech",
        licence=None,
        sample_rate=48_000,
        width=1024,
        layers=18,
        frame_rate=3.2,
        parameters=67_824_408,
        variants={
            "windows": "covers all of the audio with windows of 10 s, instead of its middle 10 s"
        },
        pretraining="at least 10,000 hours (paper, Table 2)",
        notes=(
            "Only the audio tower is used, before pooling and projection: 67.8 million "
            "parameters. Table 2 of the paper counts both towers, 193,913,882. The input is always "
            "10 s long and gives 64 frames: shorter clips are repeated, and of longer clips the "
            "middle is used, where the published extractor takes a random part."
        ),
    )
)


@hookimpl
def sercore_backbones() -> list[TransformersBackbone]:
    return [CLAP_LARGER_MUSIC_SPEECH]
