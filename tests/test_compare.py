"""Which cells of two runs differ, and what their records say."""

import json

import pytest
from click.testing import CliRunner

from sercore.cli import cli
from sercore.errors import WorkspaceError
from sercore.results.compare import compare_runs
from sercore.results.stored_run import read_run
from sercore.statistics.intervals import Note
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

SIX = ("happiness", "sadness", "disgust", "fear", "anger", "neutral")
CORPORA = [
    SimulatedCorpus(id=name, utterances=400, speakers=20, classes=SIX, eligible=True)
    for name in ("a", "b", "c")
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("compare"))
    both = {"one": (None, 0.9), "gone": (None, 0.5)}
    for name in ("first", "again"):
        simulate_run(place, name, CORPORA, both, n_seeds=3)
    simulate_run(place, "better", CORPORA, {"one": (None, 2.5)}, n_seeds=3)
    simulate_run(place, "close", CORPORA, {"one": (None, 0.91)}, n_seeds=3)
    simulate_run(place, "redrawn", CORPORA, {"one": (None, 0.9)}, seed=7, n_seeds=3)
    simulate_run(place, "single", CORPORA, {"one": (None, 1.4)})
    return place


def compared(workspace, first, second, **options):
    return compare_runs(read_run(workspace, first), read_run(workspace, second), **options)


def test_a_run_does_not_differ_from_its_like(workspace):
    found = compared(workspace, "first", "again")

    assert found.count("equal") == len(found.cells) == 18
    assert found.record == ()
    assert all(each.first == each.second and each.same_cells for each in found.averages)


def test_a_better_backbone_differs_with_intervals_that_leave_out_zero(workspace):
    found = compared(workspace, "first", "better")

    shared = [cell for cell in found.cells if cell.backbone == "one"]
    assert {cell.verdict for cell in shared} == {"differs"}
    for cell in shared:
        assert cell.paired
        assert 0 < cell.interval.low <= cell.difference <= cell.interval.high
        assert cell.interval.unit == "speaker"
    only = [cell for cell in found.cells if cell.backbone == "gone"]
    assert {cell.verdict for cell in only} == {"only-first"}
    assert all(cell.difference is None for cell in only)


def test_swapping_the_runs_turns_the_differences_around(workspace):
    one = compared(workspace, "first", "better")
    other = compared(workspace, "better", "first")

    values = {(cell.backbone, cell.train, cell.test): cell for cell in one.cells}
    for cell in other.cells:
        twin = values[cell.backbone, cell.train, cell.test]
        assert (twin.difference is None) == (cell.difference is None)
        if cell.difference is not None:
            assert cell.difference == pytest.approx(-twin.difference)
            assert cell.interval.low == pytest.approx(-twin.interval.high)


def test_the_same_quality_is_told_from_noise_no_more_than_chance_allows(workspace):
    found = compared(workspace, "first", "redrawn")

    cells = [cell for cell in found.cells if cell.backbone == "one"]
    assert not any(cell.paired for cell in cells)  # the corpora are others: their manifests differ
    assert sum(cell.verdict == "differs" for cell in cells) <= 4


def test_one_seed_gives_an_interval_and_no_verdict(workspace):
    found = compared(workspace, "first", "single")

    cells = [cell for cell in found.cells if cell.backbone == "one"]
    assert {cell.verdict for cell in cells} == {"not-decided"}
    assert all(cell.interval.low < cell.interval.high for cell in cells)
    assert all(Note.ONE_PROBE in cell.interval.notes for cell in cells)


def test_paired_intervals_are_narrower_than_unpaired_ones(workspace):
    paired = compared(workspace, "first", "close")
    unpaired = compared(workspace, "first", "redrawn")

    def width(found):
        cells = [cell for cell in found.cells if cell.backbone == "one" and cell.train != cell.test]
        return sum(cell.interval.high - cell.interval.low for cell in cells)

    assert width(paired) < 0.7 * width(unpaired)


def test_records_are_compared_entry_by_entry(workspace):
    record = workspace.read_json("runs/again/run.json")
    record["environment"]["packages"]["torch"] = "0.0.1"
    record["corpora"]["a"]["manifest"] = "another"
    record["written"] = "later"
    workspace.write_json("runs/changed/run.json", record)
    workspace.write_table("runs/changed/scores.parquet", read_run(workspace, "again").scores)

    found = compared(workspace, "first", "changed")

    assert {each.path: each.second for each in found.record} == {
        "environment.packages.torch": "0.0.1",
        "corpora.a.manifest": "another",
    }


def test_the_command_prints_tables_and_json(workspace):
    run = CliRunner().invoke
    text = run(cli, ["compare", "first", "better", "--workspace", workspace.root])
    found = run(cli, ["compare", "first", "better", "--workspace", workspace.root, "--json"])

    assert text.exit_code == 0, text.exception
    assert "9 cells in both runs: 9 differs, 9 only-first" in text.output
    told = json.loads(found.stdout)
    assert told["counts"] == {"differs": 9, "only-first": 9}
    assert len(told["cells"]) == 18
    assert {each["average"] for each in told["averages"]} == {
        "in-domain", "out-of-domain", "weighted"
    }  # fmt: skip


def test_another_workspace_can_hold_the_second_run(workspace, tmp_path):
    simulate_run(Workspace(tmp_path), "first", CORPORA, {"one": (None, 0.9)}, n_seeds=3)
    done = CliRunner().invoke(
        cli,
        ["compare", "first", "first", "--workspace", workspace.root, "--other-workspace",
         str(tmp_path), "--json"],
    )  # fmt: skip

    assert json.loads(done.stdout)["counts"] == {"equal": 9, "only-first": 9}


def test_a_run_that_is_not_there_is_one_sentence(workspace):
    done = CliRunner().invoke(cli, ["compare", "first", "furst", "--workspace", workspace.root])

    assert isinstance(done.exception, WorkspaceError)
    assert "did you mean 'first'" in str(done.exception)
