"""The nine plugins, from a folder laid out as published to frames, under the shared contract."""

from dataclasses import replace
from importlib import import_module

import pytest

pytest.importorskip("torch")

import torch

from sercore.backbones.huggingface.families import read_shape
from sercore.backbones.interface import EncoderOptions
from sercore.testing.backbones import BackboneContract
from sercore.testing.checkpoints import BUILDERS
from sercore.testing.checkpoints import build_checkpoint

pytestmark = pytest.mark.torch


def plugin(name):
    """Return the backbone that a plugin registers."""
    module = import_module(f"sercore_backbone_{name.replace('-', '_')}")
    (backbone,) = module.sercore_backbones()
    return backbone


def in_small(backbone, root):
    """Return a plugin's backbone with the sizes of a tiny checkpoint, which is written."""
    folder = build_checkpoint(backbone.card.id, root / backbone.card.checkpoint)
    _, shape = read_shape(folder)
    card = replace(backbone.card, width=shape.width, layers=shape.layers)
    return replace(backbone, card=card, folder=folder)


@pytest.fixture(autouse=True)
def one_thread():
    """Models this small only lose time to more threads."""
    torch.set_num_threads(1)


class Plugins(BackboneContract):
    @pytest.fixture(scope="class")
    @classmethod
    def backbone(cls, request, tmp_path_factory):
        return in_small(plugin(request.param), tmp_path_factory.mktemp("checkpoints"))


FIXED_WINDOW = "clap-larger-music-speech"
WHISPER = [name for name in BUILDERS if name.startswith("whisper")]


@pytest.mark.parametrize(
    "backbone", [name for name in BUILDERS if name != FIXED_WINDOW], indirect=True, scope="class"
)
class TestPlugin(Plugins):
    pass


@pytest.mark.parametrize("backbone", ["whisper-medium", "whisper-large-v3"], indirect=True)
class TestWhisperExact(Plugins):
    @pytest.fixture(scope="class")
    @classmethod
    def options(cls):
        return EncoderOptions(variant="exact")


@pytest.mark.parametrize("backbone", [FIXED_WINDOW], indirect=True)
class TestClap(Plugins):
    frames_fit_audio = False


@pytest.mark.parametrize("backbone", [FIXED_WINDOW], indirect=True)
class TestClapWindows(Plugins):
    frames_fit_audio = False

    @pytest.fixture(scope="class")
    @classmethod
    def options(cls):
        return EncoderOptions(variant="windows")
