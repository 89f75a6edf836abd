"""What the nine cards say, against full-size architectures and the paper's Table 2."""

import json
import re

import pytest

pytest.importorskip("torch")

import torch
from test_backbone_contract import plugin
from transformers import ClapAudioConfig
from transformers import ClapAudioModel
from transformers import HubertConfig
from transformers import HubertModel
from transformers import Wav2Vec2BertConfig
from transformers import Wav2Vec2BertModel
from transformers import WavLMConfig
from transformers import WavLMModel
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from sercore.testing.checkpoints import BUILDERS

pytestmark = pytest.mark.torch

LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "do_stable_layer_norm": True,
}


def _whisper(width, layers, heads, mel_bins=80):
    config = WhisperConfig(
        d_model=width,
        encoder_layers=layers,
        encoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        num_mel_bins=mel_bins,
    )
    return WhisperEncoder, config


FULL_SIZE = {
    "clap-larger-music-speech": lambda: (
        ClapAudioModel,
        ClapAudioConfig(
            patch_embeds_hidden_size=128,
            depths=[2, 2, 12, 2],
            num_attention_heads=[4, 8, 16, 32],
            hidden_size=1024,
        ),
    ),
    "hubert-large": lambda: (
        HubertModel,
        HubertConfig(**LARGE, feat_extract_norm="layer", conv_bias=True),
    ),
    "mert-v1-330m": lambda: (
        HubertModel,
        HubertConfig(**LARGE, feat_extract_norm="group", conv_bias=False),
    ),
    "w2v-bert-2": lambda: (Wav2Vec2BertModel, Wav2Vec2BertConfig(add_adapter=False)),
    "wavlm-large": lambda: (
        WavLMModel,
        WavLMConfig(
            **LARGE,
            feat_extract_norm="layer",
            conv_bias=False,
            num_buckets=320,
            max_bucket_distance=800,
        ),
    ),
    "whisper-large": lambda: _whisper(1280, 32, 20),
    "whisper-large-v2": lambda: _whisper(1280, 32, 20),
    "whisper-large-v3": lambda: _whisper(1280, 32, 20, mel_bins=128),
    "whisper-medium": lambda: _whisper(1024, 24, 16),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_full_size_is_what_the_card_states(name):
    """Parameters, layers and width of the architecture, made without memory for its weights."""
    model_class, config = FULL_SIZE[name]()
    with torch.device("meta"):
        model = model_class(config)
    card = plugin(name).card
    parameters = sum(values.numel() for values in model.parameters())
    layers = sum(config.depths) if "clap" in name else config.num_hidden_layers

    assert (parameters, layers, config.hidden_size) == (card.parameters, card.layers, card.width)


@pytest.mark.parametrize("name", BUILDERS)
def test_card_gives_the_facts_that_are_known(name):
    """Every card names its checkpoint, its pre-training and the part that is used."""
    card = plugin(name).card

    assert card.id == name
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", card.checkpoint)
    assert re.search(r"\d hours", card.pretraining)
    assert "Table 2" in card.notes


@pytest.mark.parametrize("name", BUILDERS)
def test_card_explains_table_2(name, shared):
    """Table 2 cuts off to whole millions; where it counts something else, the card says what."""
    table = json.loads((shared / "reference" / "paper.json").read_text())["table2_backbones"]
    card = plugin(name).card
    (row,) = [row for row in table if row["checkpoint"] == card.checkpoint]
    published = int(row["params"].removesuffix("M"))
    if card.parameters // 1_000_000 == published:
        assert "cut off to whole millions" in card.notes.replace("\n", " ")
    else:
        stated = [
            int(digits.replace(",", "")) for digits in re.findall(r"\d{3},\d{3},\d{3}", card.notes)
        ]

        assert published in [count // 1_000_000 for count in stated]
    hours = row["training_hours"].lower().removeprefix(">=").removesuffix("k")

    assert f"{int(hours) * 1000:,}" in card.pretraining


def test_only_clap_counts_another_part_in_table_2(shared):
    """The one difference between parameters used and Table 2."""
    table = json.loads((shared / "reference" / "paper.json").read_text())["table2_backbones"]
    published = {row["checkpoint"]: int(row["params"][:-1]) for row in table}
    cards = [plugin(name).card for name in BUILDERS]
    other = [card.id for card in cards if card.parameters // 10**6 != published[card.checkpoint]]

    assert len(cards) == len(published) == 9
    assert other == ["clap-larger-music-speech"]
