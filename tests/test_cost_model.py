"""The estimate of the full benchmark: shapes, rates, and the command."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from sercore.backbones.interface import BackboneCard
from sercore.cli import cli
from sercore.diagnostics.cost_model import Machine
from sercore.diagnostics.cost_model import MeasuredRates
from sercore.diagnostics.cost_model import estimate_full_scale
from sercore.diagnostics.cost_model import makespan
from sercore.published import table1


def card(name="some", family="wav2vec2", width=1024, parameters=1_000_000):
    return BackboneCard(
        id=name,
        title=name,
        family=family,
        checkpoint=None,
        licence=None,
        sample_rate=16000,
        width=width,
        layers=24,
        frame_rate=50.0,
        parameters=parameters,
    )


SAMPLED = MeasuredRates(
    flops=1e11,
    train_seconds={1024: 1e-5, 384: 5e-6},
    predict_seconds={1024: 3e-6, 384: 1e-6},
    peak_memory_mb=None,
)
CPU = Machine(
    name="cpu", count=1, encoder_flops=1e11, probe_flops=None, link_bytes=None, measured=True
)


def gpu(count=1, link=1e10):
    return Machine(
        name=f"gpu{count}",
        count=count,
        encoder_flops=1e13,
        probe_flops=1e13,
        link_bytes=link,
        measured=False,
    )


def stages(result, machine):
    return {stage.stage: stage.seconds for stage in result.stages if stage.machine == machine}


def test_the_shapes_are_those_of_the_paper():
    result = estimate_full_scale([card(str(n)) for n in range(9)], SAMPLED, [CPU])
    assert result.fits == 171
    assert result.cells == 819
    assert result.utterances == sum(row["samples"] for row in table1())
    assert 100 < result.hours < 120


def test_times_follow_from_the_sampled_rates():
    result = estimate_full_scale([card()], SAMPLED, [CPU])
    frames = result.hours * 3600 * 50
    assert result.frame_bytes["some"] == pytest.approx(frames * 2048, rel=1e-5)
    found = stages(result, "cpu")
    assert found["extract"] == pytest.approx(2 * 1e6 * frames / 1e11, rel=1e-5)
    assert found["train probes"] == pytest.approx(frames * 0.8 * 100 * 1e-5, rel=1e-5)


def test_whisper_pays_for_its_window_and_keeps_the_utterance():
    plain, whisper = (
        estimate_full_scale([card(family=f)], SAMPLED, [CPU]) for f in ("wav2vec2", "whisper")
    )
    assert whisper.frame_bytes == plain.frame_bytes
    longer = 30 * plain.utterances / (plain.hours * 3600)
    ratio = stages(whisper, "cpu")["extract"] / stages(plain, "cpu")["extract"]
    assert ratio == pytest.approx(longer)


def test_more_devices_share_the_work_and_a_slow_link_bounds_a_probe():
    cards = [card(str(n)) for n in range(9)]
    result = estimate_full_scale(cards, SAMPLED, [gpu(), gpu(8)])
    one, eight = stages(result, "gpu1"), stages(result, "gpu8")
    assert one["extract"] / 8 <= eight["extract"] < one["extract"] / 4
    slow = stages(estimate_full_scale(cards, SAMPLED, [gpu(link=1e6)]), "gpu1")
    frames = result.hours * 3600 * 50 * 9
    assert slow["train probes"] == pytest.approx(frames * 80 * 2048 / 1e6, rel=1e-4)


@pytest.mark.parametrize(
    ("tasks", "workers", "expected"),
    [([], 3, 0), ([5], 3, 5), ([1] * 9, 8, 2), ([4, 3, 3, 2], 2, 6)],
)
def test_makespan(tasks, workers, expected):
    assert makespan(tasks, workers) == expected


@pytest.mark.torch
def test_the_command_measures_and_states_what_it_assumes():
    words = ["bench", "full-scale", "--epochs", "1", "--utterances", "32", "--json"]
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.output)
    assert printed["cells"] == printed["fits"] * 91 / 19
    measured = {stage["machine"]: stage["measured"] for stage in printed["stages"]}
    assert measured == {"this processor": True, "one GPU": False, "8 GPUs": False}
    assert set(printed["assumptions"]) == {
        "encoder on the processor",
        "encoder on a GPU",
        "probe on a GPU",
    }
    assert all(stage["seconds"] > 0 for stage in printed["stages"])
