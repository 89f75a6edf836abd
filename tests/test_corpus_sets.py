"""Named sets of corpora: what a run takes, and that no average mixes them."""

from __future__ import annotations

import io
import json

import pytest
from click.testing import CliRunner
from rich.console import Console
from small_corpora import write_wav

import sercore
from sercore.cli import cli
from sercore.cli import closing
from sercore.errors import ProtocolError
from sercore.errors import UnknownNameError
from sercore.reports.content import build_content
from sercore.reports.flat import averages_table
from sercore.reports.html import html_page
from sercore.reports.latex import latex_page
from sercore.reports.markdown import markdown_page
from sercore.results.compare import compare_runs
from sercore.results.matrices import BETWEEN_SETS
from sercore.results.overview import run_overview
from sercore.results.record import corpus_sets
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import read_run
from sercore.results.stored_run import reduce_of
from sercore.results.summary import summary_markdown
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

CLASSES = ("happiness", "sadness", "anger", "neutral")


def shape(name, *sets, demo=False):
    return SimulatedCorpus(
        id=name, utterances=120, speakers=4, classes=CLASSES, eligible=True, sets=sets, demo=demo
    )


PAPER = [shape(name, "paper") for name in ("pa", "pb", "pc")]
EXTENDED = [shape(name, "extended") for name in ("xa", "xb")]
MINE = shape("mine")
BACKBONES = {"small": (None, 0.3), "large": (None, 0.8)}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("sets"))
    simulate_run(place, "paper", PAPER, BACKBONES, seed=3)
    simulate_run(place, "mixed", [*PAPER, *EXTENDED, MINE], BACKBONES, seed=3)
    simulate_run(place, "demo", [*PAPER, shape("da", demo=True)], BACKBONES, seed=3)
    return place


def matrices(workspace, name):
    run = read_run(workspace, name)
    return {
        (matrix.setting.backbone, matrix.setting.corpora): matrix
        for matrix in matrices_of(run.scores, run.record)
    }


def reductions(workspace, name):
    run = read_run(workspace, name)
    return {
        place: reduce_of(matrix, run.record) for place, matrix in matrices(workspace, name).items()
    }


def test_every_set_has_a_matrix_and_the_cells_between_sets_have_their_own(workspace):
    found = matrices(workspace, "mixed")

    assert {corpora for _, corpora in found} == {"paper", "extended", "other", BETWEEN_SETS}
    inside = {
        "paper": {"pa", "pb", "pc"},
        "extended": {"xa", "xb"},
        "other": {"mine"},
    }
    for (_, corpora), matrix in found.items():
        names = {name for pair in matrix.cells for name in pair}
        if corpora in inside:
            assert names == inside[corpora]
            assert len(matrix.cells) == len(names) ** 2
        else:
            assert len(matrix.cells) == 36 - 9 - 4 - 1
            assert not any(matrix.cells[pair].in_domain for pair in matrix.cells)


def test_other_corpora_in_a_run_change_no_average_of_the_paper(workspace):
    alone, mixed = reductions(workspace, "paper"), reductions(workspace, "mixed")

    for backbone in BACKBONES:
        before, after = alone[backbone, "paper"], mixed[backbone, "paper"]
        assert (after.in_domain, after.weighted) == (before.in_domain, before.weighted)
        assert after.out_of_domain == before.out_of_domain
        assert after.in_domain.coverage == "3 of 3"
        assert mixed[backbone, "extended"].in_domain.coverage == "2 of 2"


def test_cells_between_sets_have_no_average(workspace):
    between = reductions(workspace, "mixed")["small", BETWEEN_SETS]

    assert between.in_domain.mean is None
    assert (between.out_of_domain, between.weighted, between.small_clusters) == (None, None, ())
    assert not between.cells


def test_demo_corpora_are_in_no_set(workspace):
    found = matrices(workspace, "demo")

    assert {matrix.setting.corpora: matrix.setting.demo for matrix in found.values()} == {
        "paper": False, None: True,
    }  # fmt: skip


def test_a_missing_corpus_is_missing_in_its_own_set_alone(workspace):
    run = read_run(workspace, "paper")
    missing = [
        {"kind": "corpus", "name": "pd", "sets": ["paper"]},
        {"kind": "corpus", "name": "xa", "sets": ["extended"]},
    ]
    record = {**run.record, "missing": missing}

    found = matrices_of(run.scores, record)

    assert corpus_sets(record)["extended"] == {"xa"}
    for matrix in found:
        assert matrix.setting.corpora == "paper"
        assert {pair for pair in matrix.missing if pair[0] == pair[1]} == {("pd", "pd")}


def test_a_record_that_is_older_than_sets_is_read_as_before(workspace):
    run = read_run(workspace, "mixed")
    for corpus in run.record["corpora"].values():
        del corpus["sets"]

    found = matrices_of(run.scores, run.record)

    assert {(matrix.setting.corpora, len(matrix.cells)) for matrix in found} == {(None, 36)}


def test_all_formats_say_which_set_an_average_is_over(workspace):
    run = read_run(workspace, "mixed")
    content = build_content([run])
    sets = ("paper", "extended", "other", BETWEEN_SETS)

    assert {group.setting.corpora for group in content.groups} == {*sets}
    assert len({group.id for group in content.groups}) == 4
    for text in (markdown_page(content), latex_page(content), html_page(content)):
        assert all(f"corpora {name}" in text for name in sets)
    assert set(averages_table(content).column("corpora").to_pylist()) == {*sets}
    summary = summary_markdown(run.scores, run.record)
    for name in sets:
        assert f"| small | {name} | standard" in summary
    printed = io.StringIO()
    Console(width=200, file=printed).print(closing.averages_table(run_overview(run)))
    assert all(name in printed.getvalue() for name in sets)


def test_backbones_are_ranked_inside_a_set(workspace):
    content = build_content([read_run(workspace, "mixed")])
    (group,) = (group for group in content.groups if group.setting.corpora == "paper")

    assert [result.backbone for result in group.backbones] == ["large", "small"]
    assert group.refusal is None
    assert group.in_domain_corpora == ("pa", "pb", "pc")


def test_two_runs_are_compared_set_by_set(workspace):
    compared = compare_runs(read_run(workspace, "paper"), read_run(workspace, "mixed"))

    assert {average.corpora for average in compared.averages} == {"paper"}


def test_a_notebook_names_the_set_of_a_matrix(workspace):
    pytest.importorskip("pandas")
    result = sercore.load("mixed", workspace=workspace.root)

    assert list(result.matrix("small", corpora="extended").index) == ["xa", "xb"]
    assert set(result.leaderboard(arrow=True)["corpora"].to_pylist()) >= {"paper", "extended"}
    with pytest.raises(ProtocolError, match="corpora paper"):
        result.matrix("small")


# -- the command -----------------------------------------------------------------------------------


def dry_run(tmp_path, *more):
    words = [
        *("run", "--data", str(tmp_path / "data"), "--offline", "--dry-run", "--json"),
        *("--workspace", str(tmp_path / "ws"), *more),
    ]
    return CliRunner().invoke(cli, words)


@pytest.fixture
def both(data, tmp_path):
    for number, label in enumerate(("a01", "h01", "n01", "sa01")):
        write_wav(data / "SAVEE" / "DC" / f"{label}.wav", seed=number)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["--corpora", "paper"], {"urdu", "emodb"}),
        (["--corpora", "extended"], {"savee"}),
        (["--corpora", "extended", "--corpora", "paper"], {"urdu", "emodb", "savee"}),
        (["--corpora", "extended", "--dataset", "urdu"], {"urdu", "savee"}),
        (["--all"], {"urdu", "emodb", "savee"}),
        (["--all", "--corpora", "paper"], {"urdu", "emodb"}),
    ],
)
def test_a_set_takes_its_corpora_and_those_that_were_named(given, found, both):
    answer = dry_run(both, *given)

    assert answer.exit_code == 0, answer.output
    described = json.loads(answer.stdout)
    assert set(described["datasets"]) == found
    asked = {one["name"] for one in described["missing"] if one["kind"] == "corpus"}
    assert ("iemocap" in asked) is (given == ["--all"] or "extended" in given)


def test_an_unknown_set_is_an_error_that_lists_the_sets(both):
    answer = dry_run(both, "--corpora", "papers")

    assert isinstance(answer.exception, UnknownNameError)
    assert "no installed corpus belongs to a set named 'papers'" in str(answer.exception)
    assert "extended, paper" in str(answer.exception.hint)
