"""``sercore check``: precision parity between float32 and reduced precision."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from click.testing import CliRunner

from sercore.backbones.huggingface import from_name
from sercore.backbones.interface import EncodedUtterance
from sercore.backbones.interface import EncoderOptions
from sercore.cli import cli
from sercore.demo.logmel import LOGMEL
from sercore.diagnostics.precision_parity import measure_parity
from sercore.testing.checkpoints import build_checkpoint

pytestmark = pytest.mark.torch


@pytest.fixture
def folder(tmp_path):
    torch.set_num_threads(1)
    return build_checkpoint("hubert-large", tmp_path / "tiny")


def test_parity_of_a_checkpoint(folder):
    """Both differences are within their limits, and that of reduced precision is not zero."""
    backbone = from_name(f"hf:{folder}")
    options = EncoderOptions(dtype="float16")
    parity = measure_parity("tiny", backbone, backbone.resolve(offline=True), options)

    assert 0 < parity.difference < parity.limit
    assert parity.batch_difference < parity.batch_limit
    assert parity.least_cosine > 0.99
    assert parity.passed


class Faulty:
    """The baseline, disturbed in reduced precision or in batches."""

    card = LOGMEL.card

    def __init__(self, disturb):
        self.disturb = disturb

    def load(self, checkpoint, options):
        encoder = LOGMEL.load(checkpoint, options)
        encode = encoder.encode
        disturb = self.disturb

        def wrapped(batch):
            found = encode(batch)
            return [EncodedUtterance(disturb(one.frames, options, len(found))) for one in found]

        encoder.encode = wrapped
        return encoder


@pytest.mark.parametrize(
    "disturb",
    [
        lambda frames, options, _: frames * (1 if options.dtype == "float32" else 1.2),
        lambda frames, options, _: frames * (1 if options.dtype == "float32" else np.nan),
        lambda frames, _, rows: frames * (1 if rows == 1 else 1.001),
    ],
)
def test_a_difference_above_its_limit_fails(disturb):
    """Another precision, values that are not finite, a leak in batches."""
    options = EncoderOptions(dtype="bfloat16")
    parity = measure_parity("faulty", Faulty(disturb), LOGMEL.resolve(offline=True), options)

    assert not parity.passed
    json.dumps(parity.as_dict(), allow_nan=False)


def test_command(folder):
    """It takes any backbone by name, prints text or JSON, and sets the exit status."""
    text = CliRunner().invoke(cli, ["check", f"hf:{folder}", "--dtype", "float16"])
    listed = CliRunner().invoke(cli, ["check", "logmel", "--dtype", "bfloat16", "--json"])

    assert (text.exit_code, listed.exit_code) == (0, 0)
    assert "frames differ from float32" in text.output
    assert json.loads(listed.output)["passed"]


def test_command_without_weights():
    """One sentence, no traceback."""
    result = CliRunner().invoke(cli, ["check", "wavlm-large", "--offline"])

    assert result.exit_code != 0
    assert "not on this machine" in str(result.exception)
