"""Which cells of two runs differ, and what their records say."""

import json
import re

import pytest
from click.testing import CliRunner

from sercore.cli import cli
from sercore.errors import ProtocolError
from sercore.errors import WorkspaceError
from sercore.published import published_matrices
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
    assert "9 cells in both runs: 9 differs\n" in text.output
    assert "9 cells are in the first run only, 0 in the second only" in text.output
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


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Return a workspace with a run of two probes and two layers, and one of a published name."""
    place = Workspace(tmp_path_factory.mktemp("parts"))
    simulate_run(place, "many", CORPORA[:2], {"one": (None, 0.6)}, n_seeds=3,
                 probes={"linear": 0.0, "deep": 1.5}, layers=("3", "12"))  # fmt: skip
    shapes = [SimulatedCorpus(id=name, utterances=200, speakers=9, classes=SIX, eligible=True)
              for name in ("emovo", "cafe")]  # fmt: skip
    simulate_run(place, "own", shapes, {"large": ("openai/whisper-large-v2", 0.6)})
    return place


def invoke(workspace, *args):
    return CliRunner().invoke(cli, ["compare", *args, "--workspace", workspace.root])


def test_two_probes_of_one_run_are_compared_for_each_layer(parts):
    done = invoke(parts, "many", "--probe", "linear", "--probe", "deep", "--json")

    assert done.exit_code == 0, (done.output, done.exception)
    found = json.loads(done.stdout)
    assert found["first"] == "many (probe linear)"
    assert found["second"] == "many (probe deep)"
    assert len(found["cells"]) == 8
    assert {cell["layer"] for cell in found["cells"]} == {"3", "12"}
    assert all(cell["difference"] > 0 and cell["paired"] for cell in found["cells"])
    assert {average["verdict"] for average in found["averages"]} == {"differs"}


def test_two_layers_of_one_run_are_compared_for_each_probe(parts):
    done = invoke(parts, "many", "--layer", "3", "--layer", "12", "--json")

    found = json.loads(done.stdout)
    assert len(found["cells"]) == 8
    assert {cell["probe"] for cell in found["cells"]} == {"linear", "deep"}


def test_two_adjustments_of_one_run_differ_out_of_domain_alone(parts):
    done = invoke(parts, "many", "--adjustment", "uniform", "--adjustment", "none", "--json")

    cells = json.loads(done.stdout)["cells"]
    assert len(cells) == 16
    assert {cell["verdict"] for cell in cells if cell["class_rule"] is None} == {"equal"}
    assert any(cell["verdict"] != "equal" for cell in cells if cell["class_rule"])


def test_runs_of_several_probes_pair_each_probe_with_itself(parts):
    found = compared(parts, "many", "many")

    assert found.count("equal") == len(found.cells) == 16
    assert len({cell.title for cell in found.cells}) == 4


def test_a_run_is_compared_with_the_published_matrices_by_checkpoint(parts):
    done = invoke(parts, "own", "published", "--json")

    found = json.loads(done.stdout)
    shared = [cell for cell in found["cells"] if None not in (cell["first"], cell["second"])]
    assert {(cell["train_corpus"], cell["test_corpus"]) for cell in shared} == {
        ("emovo", "emovo"), ("emovo", "cafe"), ("cafe", "emovo"), ("cafe", "cafe")
    }  # fmt: skip
    assert {cell["backbone"] for cell in shared} == {"large"}
    assert {cell["verdict"] for cell in shared} == {"unknown"}
    published = published_matrices()["openai/whisper-large-v2"]
    for cell in shared:
        assert cell["second"] == published[cell["train_corpus"], cell["test_corpus"]]


def test_nothing_in_common_is_an_error_that_lists_both_sides(parts):
    done = invoke(parts, "many", "own")

    assert isinstance(done.exception, ProtocolError)
    assert "no cell is in both 'many' and 'own'" in str(done.exception)
    assert "'own' has backbones large" in str(done.exception)


def test_a_rescored_run_pairs_its_in_domain_cells(workspace):
    run = CliRunner().invoke
    run(cli, ["score", "first", "--class-rule", "shared-classes", "--name", "other-rule",
              "--workspace", workspace.root])  # fmt: skip
    done = invoke(workspace, "first", "other-rule")

    assert done.exit_code == 0, (done.output, done.exception)
    assert "6 equal" in done.output
    assert "no out-of-domain cell is in both: class rules or corpora differ" in done.output


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--probe", "linear", "--probe", "dep"], "it has deep, linear"),
        (["--layer", "4", "--layer", "3"], "it has 12, 3"),
        (["--adjustment", "bogus", "--adjustment", "none"], "no adjustment named 'bogus'"),
    ],
)
def test_a_part_without_scores_is_an_error_that_lists_what_there_is(parts, options, sentence):
    done = invoke(parts, "many", *options)

    assert isinstance(done.exception, ProtocolError)
    assert sentence in str(done.exception)


def test_one_run_alone_is_a_usage_error(parts):
    done = invoke(parts, "many", "--probe", "linear")

    assert done.exit_code == 2
    assert "twice" in done.output


def test_the_tables_fit_into_eighty_columns(parts, monkeypatch):
    monkeypatch.setattr("sercore.cli.compare._PIPED_WIDTH", 80)

    done = invoke(parts, "many", "--probe", "linear", "--probe", "deep", "--all")

    lines = done.output.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("…" in line for line in lines) == 0
    assert any(re.search(r"[+-]0\.\d{3} \[[+-]0\.\d{3}, [+-]0\.\d{3}\]", line) for line in lines)
