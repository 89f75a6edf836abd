"""What a report says in each format, and the command that writes it."""

import builtins
import importlib.util
import io
import json
import re
import subprocess
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
import sklearn.metrics as sk
from click.testing import CliRunner
from rich.console import Console

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from sercore.cli import cli
from sercore.cli.closing import averages_table
from sercore.errors import ProtocolError
from sercore.errors import SettingsError
from sercore.errors import WorkspaceError
from sercore.evaluation.label_shift import recovered_gain
from sercore.evaluation.predictions import read_predictions
from sercore.published import published_summaries
from sercore.reports.content import build_content
from sercore.reports.flat import AVERAGE_SCHEMA
from sercore.reports.flat import CELL_SCHEMA
from sercore.reports.flat import csv_bytes
from sercore.reports.html import html_page
from sercore.reports.latex import latex_page
from sercore.reports.latex import latex_text
from sercore.reports.markdown import markdown_page
from sercore.reports.verdict_tables import verdict_tables
from sercore.reports.write import require_libraries
from sercore.results.labels import MatrixLabels
from sercore.results.matrices import matrices
from sercore.results.overview import overview_of
from sercore.results.reductions import reduce_matrix
from sercore.results.stored_run import read_run
from sercore.results.summary import summary_markdown
from sercore.results.text import interval_text
from sercore.results.text import markdown_cell
from sercore.results.text import range_text
from sercore.statistics.intervals import Note
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

SIX = ("happiness", "sadness", "disgust", "fear", "anger", "neutral")
CORPORA = [
    SimulatedCorpus(id=name, utterances=150, speakers=speakers, classes=SIX, eligible=name != "ekk")
    for name, speakers in (("emovo", 10), ("cafe", 12), ("mead", 4), ("ekk", 10))
]
LARGE = "openai/whisper-large-v2"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("reports"))
    backbones = {"large": (LARGE, 1.0), "medium": (None, 0.7), "small_&_%": (None, 0.2)}
    simulate_run(place, "whole", CORPORA, backbones)
    simulate_run(
        place, "partial", CORPORA, backbones, lacking=[("medium", "emovo", "cafe")], seed=1
    )
    done = invoke("score", "whole", "--adjustment", "uniform", "--name", "narrow",
                  "--workspace", place.root)  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)
    return place


@pytest.fixture(scope="module")
def whole(workspace):
    return build_content([read_run(workspace, "whole")])


@pytest.fixture(scope="module")
def partial(workspace):
    return build_content([read_run(workspace, "partial")])


def invoke(*args):
    return CliRunner().invoke(cli, list(map(str, args)))


def test_every_interval_contains_its_value_and_names_its_unit(whole):
    (group,) = whole.groups
    for row in group.backbones:
        for view in row.cells.values():
            assert view.interval.low <= view.cell.value <= view.interval.high
            # mead has four speakers: few, and still the units
            assert view.interval.unit == "speaker"
            assert view.interval.n_units <= (4 if view.cell.test == "mead" else 12)
            assert Note.ONE_PROBE in view.interval.notes
            assert "given this one probe" in interval_text(view.interval)
        averages = [
            (row.reductions.in_domain.mean, row.intervals.in_domain),
            (row.reductions.out_of_domain.average.mean, row.intervals.out_of_domain),
            (row.reductions.weighted, row.intervals.weighted),
            *((each.mean, row.intervals.rows[name])
              for name, each in row.reductions.out_of_domain.rows.items()),
            *((each.mean, row.intervals.columns[name])
              for name, each in row.reductions.out_of_domain.columns.items()),
        ]  # fmt: skip
        for value, interval in averages:
            assert interval.value == pytest.approx(value, abs=1e-12)
            assert interval.low < interval.centre < interval.high
            assert Note.ONE_PROBE in interval.notes
        assert row.intervals.out_of_domain.n_units == 10 + 12 + 4


def test_several_seeds_are_in_the_intervals_of_cells_and_averages(tmp_path):
    place = Workspace(tmp_path)
    simulate_run(place, "seeds", CORPORA, {"one": (None, 0.8)}, n_seeds=3)

    (group,) = build_content([read_run(place, "seeds")]).groups
    (row,) = group.backbones

    for view in row.cells.values():
        assert len(view.cell.by_seed) == 3
        assert view.interval.value == pytest.approx(view.cell.value, abs=1e-12)
        assert Note.ONE_PROBE not in view.interval.notes
    assert row.intervals.weighted.notes == ()
    narrow = build_content([read_run(place, "seeds")]).groups[0].backbones[0].intervals
    assert narrow == row.intervals  # no random number is drawn


def test_an_interval_is_that_of_the_recipe(tmp_path):
    """One cell and one average, from the stored predictions, without sercore's own statistics."""
    from scipy.stats import t as student

    place = Workspace(tmp_path)
    simulate_run(place, "one", CORPORA[:2], {"one": (None, 0.8)})
    run = read_run(place, "one")
    (row,) = build_content([run]).groups[0].backbones
    view = row.cells["emovo", "cafe"]
    (key,) = view.cell.prediction_keys
    stored = read_predictions(place, key)
    manifest = place.read_table(
        f"manifests/cafe/{run.record['corpora']['cafe']['manifest']}.parquet"
    )
    speakers = np.array([names[0] for names in manifest["speaker"].to_pylist()])[stored.rows]
    records = [place.read_json(f"probes/{name}/record.json") for name in place.list("probes")]
    probe = next(record for record in records if record["train_corpus"] == "emovo")
    trained = np.array(probe["train_counts"], dtype=float)
    said_classes = [
        name in SIX and trained[place_] > 0 for place_, name in enumerate(stored.classes)
    ]
    with np.errstate(divide="ignore"):
        logits = np.where(said_classes, stored.logits - np.log(trained / trained.sum()), -np.inf)
    said, labels = logits.argmax(axis=1), stored.labels
    classes = np.unique(labels)

    def macro(kept):
        return sk.f1_score(labels[kept], said[kept], labels=classes, average="macro")

    names, sizes = np.unique(speakers, return_counts=True)
    without = np.array([macro(speakers != name) for name in names])
    variance = (len(names) - 1) / len(names) * ((without - without.mean()) ** 2).sum()
    df = sizes.sum() ** 2 / (sizes**2).sum() - 1
    half = student.ppf(0.975, df) * np.sqrt(variance)
    point = macro(np.ones(len(labels), dtype=bool))

    assert view.interval.value == pytest.approx(point, abs=1e-12)
    assert view.interval.low == pytest.approx(max(point - half, 0), abs=1e-9)
    assert view.interval.high == pytest.approx(min(point + half, 1), abs=1e-9)


def test_backbones_are_ranked_best_first_and_tested(whole):
    (group,) = whole.groups

    assert [row.backbone for row in group.backbones] == ["large", "medium", "small_&_%"]
    assert group.refusal is None
    inside, outside, weighted = group.verdicts
    assert inside.other_corpora.n_corpora == 4
    assert outside.other_corpora.n_corpora == 3
    assert inside.other_corpora.backbones[0].name == "large"
    assert {pair.differs for pair in weighted.these_corpora} == {None}  # one seed
    assert weighted.other_corpora is None
    assert {verdicts.ranks for verdicts in group.verdicts} == {None}


def test_each_scope_has_tables_and_sentences_of_its_own(tmp_path):
    place = Workspace(tmp_path)
    simulate_run(place, "seeds", CORPORA, {"good": (None, 1.5), "poor": (None, 0.2)}, n_seeds=3)

    content = build_content([read_run(place, "seeds")])
    text = markdown_page(content)

    tables = list(verdict_tables(content.groups[0]))
    other = [table for table in tables if "other corpora like these" in table.title]
    these = [table for table in tables if "on these corpora" in table.title]
    assert len(other) == 4
    assert len(these) == 3
    assert all("On other corpora like these, good scores higher" in other[place_].sentences[0]
               for place_ in (1, 3))  # fmt: skip
    assert all("they differ (p = 0.000 after Holm)" in table.sentences[0] for table in these[:1])
    for table in tables:
        for sentence in table.sentences:
            assert markdown_cell(sentence) in text
    assert "Nemenyi" not in text


def test_rank_tests_are_behind_a_switch_and_carry_their_warnings(workspace, tmp_path):
    done = invoke("report", "whole", "--workspace", workspace.root, "--output", tmp_path,
                  "--format", "md", "--rank-tests", "--json")  # fmt: skip

    assert done.exit_code == 0, (done.output, done.exception)
    verdicts = json.loads(done.stdout)["groups"][0]["verdicts"]
    assert verdicts[1]["rank_tests"]["n_corpora"] == 3
    assert {pair["differs"] for pair in verdicts[1]["these_corpora"]} == {None}
    text = (tmp_path / "report.md").read_text()
    assert "Rows share their test corpora" in text
    assert "Wilcoxon-Holm needs 7 corpora to find any difference between 3 backbones" in text


def test_two_corpora_are_refused_with_a_reason(tmp_path):
    place = Workspace(tmp_path)
    simulate_run(place, "two", CORPORA[:2], {"good": (None, 1.5), "poor": (None, 0.2)})

    text = markdown_page(build_content([read_run(place, "two")]))

    assert "No verdict: 2 out-of-domain cells are too few to compare backbones" in text


def test_chance_lies_below_what_was_heard(whole):
    (group,) = whole.groups

    assert group.chance.in_domain.best_blind_guess == pytest.approx(1 / 6)
    assert 0 < group.chance.in_domain.majority < 1 / 6
    assert group.backbones[0].reductions.in_domain.mean > 1 / 6


def test_the_papers_numbers_stand_beside_a_checkpoint_that_it_has(whole):
    rows = {row.backbone: row for row in whole.groups[0].backbones}

    assert rows["large"].published == published_summaries()[LARGE]
    assert rows["large"].cells["emovo", "cafe"].published is not None
    assert rows["medium"].published is None


def test_a_missing_cell_is_told_everywhere(partial):
    markdown, latex = markdown_page(partial), latex_page(partial)

    assert any("1 cell missing (medium)" in each.text for each in partial.notices)
    assert "3 of 3 rows, 5 of 6 cells" in markdown
    assert "Not ranked: medium lacks 1 of 10 cells" in markdown
    assert "(1 of 2)" in markdown
    assert "lack cells" in latex
    assert "$^\\ast$" in latex
    assert "\\textbf" not in latex


def test_common_cells_are_ranked(workspace):
    content = build_content([read_run(workspace, "partial")], common=True)

    assert content.groups[0].refusal is None
    assert {len(row.cells) for row in content.groups[0].backbones} == {9}


def test_latex_is_escaped_and_complete(whole):
    text = latex_page(whole)

    assert r"small\_\&\_\%" in text
    assert "\\textbf" in text
    assert text.count("\\begin{table}") == text.count("\\end{table}") == 7
    assert text.count("\\begin{tabular}") == text.count("\\bottomrule")
    (group,) = whole.groups
    around = group.backbones[0].intervals.weighted
    assert f"[{around.low:.3f}, {around.high:.3f}]" in text
    assert "given this one probe" in text
    averages, matched, trained, tested = text.split("\\end{table}")[:4]
    assert averages.count("\\textbf") == 3
    assert matched.count("\\textbf") == 0
    assert trained.count("\\textbf") == tested.count("\\textbf") == 3
    for row in averages.splitlines():
        if row.startswith("large"):
            assert row.count("&") == 8
    assert latex_text("a\\b{c}~^$#") == (
        r"a\textbackslash{}b\{c\}\textasciitilde{}\textasciicircum{}\$\#"
    )


def test_latex_compiles(whole, tmp_path):
    import shutil

    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex on this machine")
    body = latex_page(whole)
    document = (
        "\\documentclass{article}\\usepackage{booktabs}\\usepackage{graphicx}\\begin{document}\n"
        f"{body}\\end{{document}}\n"
    )
    (tmp_path / "t.tex").write_text(document)
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-500:]


def test_the_command_writes_every_format(workspace, tmp_path):
    done = invoke("report", "whole", "--workspace", workspace.root, "--output", tmp_path / "out",
                  "--format", "all", "--json")  # fmt: skip

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    out = tmp_path / "out"
    assert {Path(each) for each in told["files"]} == {p for p in out.rglob("*") if p.is_file()}
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    cells = pq.read_table(out / "cells.parquet")
    assert cells.schema.equals(CELL_SCHEMA)
    assert csv.read_csv(out / "cells.csv").num_rows == cells.num_rows == 30
    assert set(cells["interval_unit"].to_pylist()) == {"speaker"}
    assert all("one-probe" in notes for notes in cells["interval_notes"].to_pylist())
    averages = pq.read_table(out / "averages.parquet")
    assert averages.schema.equals(AVERAGE_SCHEMA)
    assert averages.to_pylist() == told["averages"]
    starts = {"png": b"\x89PNG", "pdf": b"%PDF-", "svg": b"<?xml"}
    for kind, start in starts.items():
        files = list((out / "figures").glob(f"*.{kind}"))
        assert len(files) == 7
        assert all(each.read_bytes().startswith(start) for each in files)


def test_the_same_run_gives_the_same_bytes(workspace, tmp_path):
    for name in ("one", "two"):
        invoke("report", "whole", "--workspace", workspace.root, "--output", tmp_path / name,
               "--format", "html,csv")  # fmt: skip
    for path in (tmp_path / "one").rglob("*.*"):
        assert (
            path.read_bytes()
            == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
        )


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("leaks"))
    for protocol in ("random-kfold", "speaker-disjoint", "standard"):
        simulate_run(place, protocol, CORPORA[:2], {"one": (None, 0.8), "two": (None, 0.4)},
                     protocol=protocol, n_seeds=3,
                     probes={"simple": 0.0, "strong": 0.9})  # fmt: skip
    simulate_run(place, "other-seeds", CORPORA[:2], {"one": (None, 0.8)}, n_seeds=2,
                 protocol="speaker-disjoint", probes={"simple": 0.0})  # fmt: skip
    return place


def test_random_and_speaker_disjoint_folds_give_the_leak_gap(leaky, tmp_path):
    done = invoke("report", "random-kfold", "speaker-disjoint", "--workspace", leaky.root,
                  "--output", tmp_path, "--format", "md,html", "--json")  # fmt: skip

    assert done.exit_code == 0, (done.output, done.exception)
    tables = json.loads(done.stdout)["leak_gaps"]
    assert len(tables) == 2  # one a probe: the gap never pairs different probes
    for table in tables:
        assert len(table["cells"]) == 4
        assert table["refused"] == []
        gaps = [cell["gap"] for cell in table["cells"]]
        assert table["mean"] == pytest.approx(np.mean(gaps))
        assert table["low"] < table["mean"] < table["high"]
        for cell in table["cells"]:
            assert cell["gap"] == pytest.approx(cell["random_kfold"] - cell["speaker_disjoint"])
            assert cell["low"] < cell["gap"] < cell["high"]
            assert cell["interval_notes"] == []
            assert cell["shared_speakers"] > 0
    simple, strong = (table["cells"][0]["random_kfold"] for table in tables)
    assert strong > simple + 0.1
    assert "## Leak gap" in (tmp_path / "report.md").read_text()
    assert 'id="leaks"' in (tmp_path / "report.html").read_text()


def test_a_leak_gap_of_other_seeds_is_refused_with_a_reason(leaky, tmp_path):
    done = invoke("report", "random-kfold", "other-seeds", "--workspace", leaky.root,
                  "--output", tmp_path, "--format", "md", "--json")  # fmt: skip

    (table,) = json.loads(done.stdout)["leak_gaps"]
    assert table["cells"] == []
    assert {refused["corpus"] for refused in table["refused"]} == {"cafe", "emovo"}
    assert "the two runs have different seeds" in (tmp_path / "report.md").read_text()


def test_the_single_split_enters_no_leak_gap(leaky):
    runs = [read_run(leaky, name) for name in ("standard", "speaker-disjoint")]

    content = build_content(runs)

    assert content.leaks == ()
    assert any("--protocol random-kfold" in notice.text for notice in content.notices)


def test_by_default_it_lies_beside_the_run(workspace):
    done = invoke("report", "whole", "--workspace", workspace.root)

    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == workspace.path("runs/whole/report/report.html")
    assert workspace.exists("runs/whole/report/report.html")


@pytest.mark.parametrize(
    ("args", "error", "sentence"),
    [
        (["wohle"], WorkspaceError, "did you mean 'whole'"),
        (["whole", "--format", "docx"], SettingsError, "no report format 'docx'"),
        (["whole", "--metric", "wer"], SettingsError, "has the metric 'wer'"),
        (["whole", "--adjustment", "bogus"], ProtocolError, "none, oracle, published, uniform"),
        (["narrow", "--adjustment", "oracle"], ProtocolError, "it has uniform; 'sercore score"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(workspace, args, error, sentence):
    done = invoke("report", *args, "--workspace", workspace.root)

    assert isinstance(done.exception, error)
    assert sentence in str(done.exception)


@pytest.mark.parametrize(("library", "needed_by"), [("jinja2", "html"), ("matplotlib", "png")])
def test_a_missing_library_says_how_to_get_it(monkeypatch, library, needed_by):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "sercore.reports.write.find_spec", lambda name: None if name == library else found(name)
    )

    with pytest.raises(SettingsError, match=r"pip install 'sercore\[report\]'"):
        require_libraries({needed_by})
    require_libraries({"csv", "md", "latex"})


def test_text_formats_need_no_drawing_library(workspace, tmp_path, monkeypatch):
    original = builtins.__import__

    def guarded(name, *args, **kwargs):
        if name.split(".")[0] in ("matplotlib", "jinja2"):
            raise AssertionError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", guarded)
    done = invoke("report", "whole", "--workspace", workspace.root, "--output", tmp_path,
                  "--format", "md,latex,csv,parquet")  # fmt: skip

    assert done.exit_code == 0, (done.output, done.exception)


def test_a_run_without_cells_says_so(tmp_path):
    place = Workspace(tmp_path)
    simulate_run(place, "empty", CORPORA[:1], {"only": (None, 1.0)},
                 lacking=[("only", "emovo", "emovo")])  # fmt: skip

    done = invoke("report", "empty", "--workspace", tmp_path, "--format", "html,md,csv,latex,svg")

    assert done.exit_code == 0, (done.output, done.exception)
    assert "nothing to report yet" in (tmp_path / "runs/empty/report/report.html").read_text()


def test_backbones_of_one_title_are_told_apart_by_their_names(tmp_path):
    place = Workspace(tmp_path)
    simulate_run(place, "twins", CORPORA, {"tiny": (None, 0.8), "tiny:exact": (None, 0.4)})
    run = place.read_json("runs/twins/run.json")
    for described in run["backbones"].values():
        described["title"] = "Tiny"
    place.write_json("runs/twins/run.json", run)

    (group,) = build_content([read_run(place, "twins")]).groups

    assert {row.title for row in group.backbones} == {"tiny", "tiny:exact"}


RULES = ["cluster", "exact-classes"]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return a workspace with a report of two probes, layers, variants and class rules."""
    place = Workspace(tmp_path_factory.mktemp("many"))
    simulate_run(place, "one-rule", CORPORA[:2], {"tiny": (None, 0.8), "tiny:exact": (None, 0.5)},
                 probes={"linear": 0.0, "deep": 0.4}, layers=("3", "12"))  # fmt: skip
    scored = invoke("score", "one-rule", "--name", "many", "--workspace", place.root,
                    *(word for rule in RULES for word in ("--class-rule", rule)))  # fmt: skip
    assert scored.exit_code == 0, (scored.output, scored.exception)
    run = place.read_json("runs/many/run.json")
    for described in run["backbones"].values():
        described["title"] = "Tiny"
    place.write_json("runs/many/run.json", run)
    done = invoke("report", "many", "--workspace", place.root, "--format",
                  "html,md,latex,csv,parquet,svg")  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)
    return place


BACKBONE_NAMES = [f"{name} · layer {layer}" for name in ("tiny", "tiny:exact") for layer in (3, 12)]
PROBE_NAMES = ["probe linear", "probe deep"]


@pytest.mark.parametrize("file", ["report.md", "report.tex", "report.html"])
def test_probes_layers_variants_and_rules_are_told_apart_in_every_text(many, file):
    text = Path(many.path(f"runs/many/report/{file}")).read_text()

    for shown in (*BACKBONE_NAMES, *PROBE_NAMES, *(f"class rule {rule}" for rule in RULES)):
        assert (latex_text(shown) if file.endswith("tex") else shown) in text
    if file == "report.tex":
        captions = re.findall(r"\\caption\{(.*)\}", text)
        assert len(captions) == len(set(captions)) == 28
        rows = re.findall(r"^tiny.*\\\\$", text.split(r"\end{table}")[0], re.MULTILINE)
        assert len({row.split("&")[0] for row in rows}) == 4
    if file == "report.md":
        headings = [line for line in text.splitlines() if line.startswith("## protocol")]
        assert len(headings) == len(set(headings)) == 4
    if file == "report.html":
        links = re.findall(r'<a href="#([^"]*)">([^<]*)</a>', text)
        assert len({name for _, name in links}) == len(links)


@pytest.mark.parametrize("name", ["cells", "averages"])
def test_probes_layers_variants_and_rules_are_told_apart_in_every_table(many, name):
    rows = csv.read_csv(many.path(f"runs/many/report/{name}.csv")).to_pylist()
    stored = pq.read_table(many.path(f"runs/many/report/{name}.parquet")).to_pylist()

    assert len(rows) == len(stored)
    columns = ("backbone", "layer", "probe", "class_rule", *(("train_corpus", "test_corpus")
               if name == "cells" else ("reduction", "corpus")))  # fmt: skip
    keys = {tuple(row[column] for column in columns) for row in rows}
    assert len(keys) == len(rows)
    named = ("backbone", "layer", "probe", "class_rule")
    assert {tuple(str(row[column]) for column in named) for row in rows} == {
        *product(("tiny", "tiny:exact"), ("3", "12"), ("linear", "deep"), RULES)
    }


def test_every_matrix_has_a_figure_of_its_own(many):
    names = many.list("runs/many/report/figures")

    assert sum("-matrix-" in name and name.endswith(".svg") for name in names) == 16


def test_the_summary_and_the_terminal_tell_probes_and_layers_apart(many):
    run = read_run(many, "many")
    console = Console(width=200, file=io.StringIO())

    found = matrices(run.scores)
    overview = overview_of(run, found, [reduce_matrix(matrix) for matrix in found])
    console.print(averages_table(overview))

    summary = summary_markdown(run.scores, run.record, many)
    assert len(overview.matrices) == 16
    for around in [one.intervals for one in overview.matrices]:
        assert range_text(around.weighted) in console.file.getvalue()
        assert range_text(around.weighted) in summary
    assert "given this one probe" in console.file.getvalue()
    assert "given this one probe" in summary
    for text in (summary, console.file.getvalue()):
        assert all(rule in text for rule in RULES)
        for backbone in ("tiny", "tiny:exact"):
            for probe in PROBE_NAMES:
                for layer in (3, 12):
                    assert f"{backbone} · {probe} · layer {layer}" in text


def test_the_report_says_how_much_of_the_oracles_gain_is_recovered(whole):
    (group,) = whole.groups
    text = markdown_page(whole)

    assert len(group.recoveries) == 3
    for one in group.recoveries:
        assert set(one.means) == {"uniform", "em", "bbse", "oracle"}
        assert one.n_cells == 6
        result = next(result for result in group.backbones if result.title == one.title)
        assert one.means["uniform"] == pytest.approx(result.out_of_domain.mean)
        share = recovered_gain(one.means["uniform"], one.means["em"], one.means["oracle"])
        # Where the oracle gains nothing there is no share.
        shown = "—" if share is None else f"{share:.0%}".replace("%", " %")
        assert re.search(
            rf"\| {re.escape(markdown_cell(one.title))} \| 6 cells .*\| {shown} \|", text
        )
    assert "use no test label" in text


def test_heat_shows_skill_above_chance(whole):
    (group,) = whole.groups
    result = group.backbones[0]

    view = result.cells["emovo", "cafe"]

    guess = view.chance.best_blind_guess
    assert view.skill == pytest.approx((view.cell.value - guess) / (1 - guess))
    assert view.skill < view.cell.value


def test_titles_use_words_and_dates_are_readable(whole):
    text = markdown_page(whole)

    assert (
        "Out-of-domain mean by training corpus (as Figure 2 of SER Evals, Osman et al. 2024)"
        in text
    )
    assert "2024-01-01 00:00 UTC" in html_page(whole)
    assert "T00:00:00+00:00" not in html_page(whole)


def test_text_in_csv_cannot_start_a_formula():
    """Only text at the start of a cell is changed; numbers keep their sign."""
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a=1", "hf:x", "", None]
    table = pa.table({"text": pa.array(texts, pa.string()), "number": [-1.5] * len(texts)})

    found = csv.read_csv(
        pa.BufferReader(csv_bytes(table)),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )

    shown = [f"'{text}" if text and text[0] in "=+-@\t\r" else text for text in texts]
    assert found.column("text").to_pylist() == shown
    assert found.column("number").to_pylist() == [-1.5] * len(texts)


def test_the_lowest_likelihood_loss_is_first_and_gets_no_verdict(workspace):
    content = build_content([read_run(workspace, "whole")], metric="negative-log-likelihood")

    (group,) = content.groups
    losses = [result.reductions.in_domain.mean for result in group.backbones]
    assert group.backbones[0].backbone == "large"
    assert losses[0] == min(losses)
    assert group.verdicts == ()
    assert "\\textbf" not in latex_page(content)


def test_settings_of_probes_are_named_only_where_one_probe_has_several(whole):
    first = whole.groups[0].backbones[0].matrix.setting
    other = replace(first, probe="deep", probe_settings='{"width":8}')
    wide = replace(other, probe_settings='{"width":16}')

    assert MatrixLabels([first, other]).shared(other) == ("probe deep",)
    assert MatrixLabels([first, other, wide]).shared(wide) == (
        "probe deep",
        'probe settings {"width":16}',
    )
