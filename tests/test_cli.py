"""The command line: help, listings, exit statuses, and what start-up imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sercore.cli import _COMMANDS
from sercore.cli import cli
from sercore.errors import SercoreError

HEAVY = ("torch", "torchaudio", "transformers", "sklearn", "scipy", "pyarrow", "matplotlib")
DOCS = Path(__file__).resolve().parent.parent / "docs"


def invoke(*words):
    return CliRunner().invoke(cli, list(words))


def json_of(*words, status=0):
    answer = invoke(*words, "--json")
    assert answer.exit_code == status, answer.output
    return json.loads(answer.stdout)


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_explains_itself(name):
    answer = invoke(name, "--help")

    assert answer.exit_code == 0, answer.output
    assert "Usage:" in answer.output


def test_help_lists_every_command_and_the_first_step():
    answer = invoke("--help")

    assert all(name in answer.output for name in _COMMANDS)
    assert "sercore run --all --demo" in answer.output


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["list"], ["list", "datasets", "--json"], ["run", "--help"]],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_to_start(words):
    program = (
        "import sys\nfrom sercore.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )

    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert answer.stderr.strip() == "[]"


def test_a_misspelt_command_is_answered_with_what_was_meant():
    answer = invoke("statsu")

    assert answer.exit_code == 2
    assert "Did you mean 'status'?" in answer.output


def test_run_asks_what_to_run():
    answer = invoke("run")

    assert answer.exit_code == 2
    assert "--all --demo" in answer.output


def test_lists_are_json_for_scripts():
    found = json_of("list")

    assert {"demo-stage", "demo-street", "demo-studio"} <= {row["id"] for row in found["datasets"]}
    assert "logmel" in {row["id"] for row in found["backbones"]}
    assert {"standard", "paper", "speaker-disjoint"} <= {row["id"] for row in found["protocols"]}


def test_all_plugins_of_the_repository_are_listed():
    repository = Path(__file__).resolve().parent.parent
    wanted = {
        kind: {folder.name for folder in (repository / "plugins" / kind).iterdir()}
        for kind in ("datasets", "backbones")
    }

    found = json_of("list")

    assert wanted["datasets"] <= {row["id"] for row in found["datasets"]}
    assert wanted["backbones"] <= {row["id"] for row in found["backbones"]}
    assert not [row for row in found["plugins"] if row["error"]]


def test_an_empty_workspace_has_no_runs(tmp_path):
    assert json_of("status", "--workspace", str(tmp_path)) == {
        "workspace": str(tmp_path),
        "runs": [],
    }


def test_an_unknown_run_is_named(tmp_path):
    answer = invoke("status", "nothing", "--workspace", str(tmp_path))

    assert isinstance(answer.exception, SercoreError)
    assert "the run 'nothing'" in str(answer.exception)
    assert "does not exist" in str(answer.exception)


def test_a_dry_run_computes_nothing_and_says_how_much_there_is(data, tmp_path):
    found = json_of(
        *("run", "--dataset", "urdu", "--backbone", "logmel", "--data", str(data)),
        *("--workspace", str(tmp_path / "ws"), "--dry-run", "--offline"),
    )

    assert found["probe_fits"] == 1
    assert found["cells"] == 1
    assert found["datasets"]["urdu"]["utterances"] == 48
    assert found["datasets"]["urdu"]["hours"] == pytest.approx(48 * 0.5 / 3600)
    (features,) = found["features"]
    assert features["cached"] == 0
    assert not (tmp_path / "ws" / "runs").exists()


def test_what_was_named_and_cannot_be_had_ends_with_3(data, tmp_path):
    found = json_of(
        *("run", "--dataset", "urdu", "--dataset", "emovo", "--backbone", "logmel"),
        *("--data", str(data), "--workspace", str(tmp_path), "--dry-run", "--offline"),
        status=3,
    )

    (missing,) = found["missing"]
    assert missing["name"] == "emovo"
    assert missing["named"] is True
    assert missing["hint"]


def test_what_all_cannot_have_is_listed_and_fails_nothing(data, tmp_path):
    found = json_of(
        *("run", "--all", "--backbone", "logmel", "--data", str(data)),
        *("--workspace", str(tmp_path), "--dry-run", "--offline"),
    )

    missing = {row["name"] for row in found["missing"]}
    assert {"emovo", "mead", "subesco"} <= missing
    assert set(found["datasets"]) == {"urdu", "emodb"}


def test_a_backbone_that_nobody_has_is_answered_with_what_there_is(data, tmp_path):
    answer = invoke(
        *("run", "--dataset", "urdu", "--backbone", "wavlm-lrge", "--data", str(data)),
        *("--workspace", str(tmp_path)),
    )

    assert isinstance(answer.exception, SercoreError)
    assert "wavlm-large" in str(answer.exception)


@pytest.mark.parametrize("bad", ["=", "urdu=", "urdu"])
def test_an_unusable_dataset_option_says_how_to_write_it(bad, tmp_path):
    answer = invoke("run", "--dataset", "urdu", "--dataset", bad, "--workspace", str(tmp_path))

    assert "ID=PATH" in str(answer.exception)


def test_an_unusable_frame_budget_is_refused(data, tmp_path):
    answer = invoke(
        *("run", "--dataset", "urdu", "--backbone", "logmel", "--data", str(data)),
        *("--workspace", str(tmp_path), "--frame-budget", "many"),
    )

    assert "a positive number or 'auto', not 'many'" in str(answer.exception)


def test_errors_are_one_sentence_on_standard_error(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-m", "sercore", "run", "--all", "--data", str(tmp_path / "no")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr == (
        f"sercore: there is no folder {tmp_path / 'no'}; give --data a folder that holds corpora\n"
    )


def test_every_json_field_is_documented(data, tmp_path):
    text = (DOCS / "json.md").read_text()
    listing = json_of("list")
    dry = json_of(
        *("run", "--all", "--backbone", "logmel", "--data", str(data)),
        *("--workspace", str(tmp_path), "--dry-run", "--offline"),
    )
    named = {key for rows in listing.values() for row in rows for key in row}
    named |= set(dry) | set(dry["datasets"]["urdu"]) | set(dry["features"][0])
    named |= set(dry["missing"][0])

    assert sorted(name for name in named if f"`{name}`" not in text) == []


def test_a_reader_that_goes_away_is_no_error():
    words = [sys.executable, "-m", "sercore", "list", "datasets", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        listing.stdout.close()  # before the first byte is written
        errors = listing.stderr.read()

    assert listing.returncode == 0
    assert errors == b""
