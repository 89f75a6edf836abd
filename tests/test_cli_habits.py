"""Habits that all commands share: completion, errors as JSON, exit statuses, widths, variables."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table

from sercore.cli import cli
from sercore.cli.matrix_view import MatrixView
from sercore.cli.text import print_table


def sercore(*words, **variables):
    return subprocess.run(
        [sys.executable, "-m", "sercore", *words],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def completed(*words):
    """Return what bash would offer for the last word."""
    answer = sercore(
        _SERCORE_COMPLETE="bash_complete",
        COMP_WORDS=" ".join(["sercore", *words]),
        COMP_CWORD=str(len(words)),
    )
    return [line.partition(",")[2] for line in answer.stdout.splitlines() if line]


def leaves(group=cli, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name)


class TestCompletion:
    def test_names_of_plugins(self):
        assert completed("run", "--dataset", "em") == ["emodb", "emovo"]
        assert "framewise" in completed("run", "--probe", "fr")
        assert completed("list", "back") == ["backbones"]

    def test_names_of_runs(self, tmp_path):
        for name in ("first", "files", "other"):
            (tmp_path / "runs" / name).mkdir(parents=True)

        assert completed("report", "--workspace", str(tmp_path), "fi") == ["files", "first"]

    def test_an_unreadable_settings_file_completes_nothing(self, tmp_path, monkeypatch):
        (tmp_path / "sercore.toml").write_text("not toml [")
        monkeypatch.chdir(tmp_path)

        assert completed("report", "x") == []


class TestErrorsAsJson:
    def test_of_sercore(self, tmp_path):
        answer = sercore("report", "no", "--json", "--workspace", str(tmp_path))

        error = json.loads(answer.stdout)["error"]
        assert answer.returncode == error["exit_status"] == 1
        assert "the run 'no'" in error["message"]
        assert error["hint"]
        assert answer.stderr.startswith("sercore: the run 'no'")

    @pytest.mark.parametrize(
        "words", [("run", "--json"), ("--json", "run"), ("list", "datsets", "--json")]
    )
    def test_of_usage(self, words):
        answer = sercore(*words)

        error = json.loads(answer.stdout)["error"]
        assert answer.returncode == error["exit_status"] == 2
        assert error["message"] in answer.stderr

    def test_without_json_standard_output_stays_empty(self):
        assert sercore("run").stdout == ""


@pytest.mark.parametrize("path", list(leaves()), ids=" ".join)
def test_every_command_documents_its_exit_statuses(path):
    answer = CliRunner().invoke(cli, [*path, "--help"])

    assert "Exit status" in " ".join(answer.output.split())


def test_a_kind_in_the_singular_is_understood_and_a_misspelt_one_is_answered():
    one = CliRunner().invoke(cli, ["list", "metric", "--json"])
    other = CliRunner().invoke(cli, ["list", "corpora", "--json"])
    wrong = CliRunner().invoke(cli, ["list", "bakcbones"])

    assert list(json.loads(one.stdout)) == ["metrics"]
    assert list(json.loads(other.stdout)) == ["datasets"]
    assert wrong.exit_code == 2
    assert "did you mean 'backbones'?" in wrong.output


def test_the_workspace_can_come_from_one_variable(tmp_path):
    answer = sercore("status", "--json", SERCORE_WORKSPACE=str(tmp_path / "here"))

    assert json.loads(answer.stdout)["workspace"] == str(tmp_path / "here")


@pytest.mark.parametrize("command", [("list",), ("status",), ("cache", "ls")], ids=" ".join)
@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_word_is_broken_in_a_narrow_terminal(command, width, tmp_path):
    text = sercore(*command, COLUMNS=str(width), SERCORE_WORKSPACE=str(tmp_path)).stdout

    lines = [line for line in text.splitlines() if "/" not in line]  # paths stay whole
    assert max(map(len, lines)) <= width
    if command == ("list",):
        assert "emodb" in text
        assert "utterances" in text


def test_a_table_that_is_too_wide_is_a_list_of_its_rows(capsys):
    table = Table("corpus", "where", title="corpora")
    table.add_row("emodb", "a-very-long-folder-name-without-a-blank")

    print_table(Console(width=30), table)

    assert capsys.readouterr().out.split() == [
        *("corpora", "emodb", "where:"),
        *("a-very-long-folder-name-with", "out-a-blank"),
    ]


class TestDevice:
    pytestmark = pytest.mark.torch

    def test_a_device_that_is_not_here_is_one_sentence(self, tmp_path):
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("this machine has a CUDA device")

        answer = sercore("run", "--demo", "--device", "cuda", "--workspace", str(tmp_path))

        assert answer.returncode == 1
        (line,) = answer.stderr.splitlines()
        assert "'cuda' cannot be used on this machine" in line
        assert not (tmp_path / "runs").exists()

    def test_an_unknown_device_is_named(self, tmp_path):
        answer = sercore("run", "--demo", "--device", "gpu", "--workspace", str(tmp_path))

        assert "there is no device 'gpu'; use auto, cpu, cuda or cuda:N" in answer.stderr


class TestMatrix:
    @staticmethod
    def plan(names):
        known = SimpleNamespace(card=SimpleNamespace(demo=False))
        corpora = [SimpleNamespace(id=name, corpus=known) for name in names]
        rule = SimpleNamespace(name="cluster")
        card = SimpleNamespace(demo=False)
        jobs = [
            SimpleNamespace(
                train=train,
                backbone=SimpleNamespace(backbone=SimpleNamespace(card=card)),
                test_sets=[SimpleNamespace(corpus=test, rules=[rule]) for test in corpora],
            )
            for train in corpora
        ]
        return SimpleNamespace(jobs=jobs, matrix_name=lambda _: "m")

    @pytest.mark.parametrize("width", [40, 80, 200])
    def test_a_wide_matrix_is_cut_so_that_every_column_is_shown(self, width):
        names = [f"{letter}corpus" for letter in "abcdefghijklmnopqrs"]
        view = MatrixView(self.plan(names))
        console = Console(width=width, record=True, file=io.StringIO())

        tables = view.tables(width)
        for table in tables:
            console.print(table)

        text = console.export_text()
        header = " ".join(line for line in text.splitlines() if line.startswith("┃train"))
        assert all(name[:4] in header for name in names)
        assert max(map(len, text.splitlines())) <= width
        assert (len(tables) == 1) == (width == 200)

    def test_a_piped_run_ends_with_the_matrix(self, data, tmp_path):
        answer = sercore(
            *("run", "--dataset", "urdu", "--backbone", "logmel", "--data", str(data)),
            *("--workspace", str(tmp_path)),
        )

        assert answer.returncode == 0, answer.stderr
        (row,) = [line for line in answer.stdout.splitlines() if line.startswith("│urdu")]
        assert row.split("│")[2].strip()[0] in "01"


class TestDownload:
    """Weights are downloaded only if the user says so. No network is needed to show it."""

    WORDS = ("run", "--dataset", "urdu", "--backbone", "hubert-large")

    def run(self, data, tmp_path, *more):
        # Every request to the hub fails at once: nothing listens on port 9 of this machine.
        return sercore(
            *self.WORDS,
            *("--data", str(data), "--workspace", str(tmp_path), *more),
            HF_HUB_OFFLINE="0",
            HF_ENDPOINT="http://127.0.0.1:9",
            HF_HOME=str(tmp_path / "hub"),
        )

    def test_without_the_option_the_network_is_not_asked(self, data, tmp_path):
        answer = self.run(data, tmp_path)

        assert answer.returncode == 3
        assert "the weights of facebook/hubert-large-ll60k are not on this machine" in answer.stdout
        assert "'sercore run --download'" in answer.stdout

    def test_with_it_the_size_is_printed_before_the_network_is_asked(self, data, tmp_path):
        answer = self.run(data, tmp_path, "--download")

        assert answer.returncode == 3
        assert "weights of hubert-large: facebook/hubert-large-ll60k, about 1.3 GB" in answer.stderr
        assert "cannot be downloaded" in answer.stdout

    def test_a_terminal_is_asked(self, data, tmp_path):
        leader, follower = pty.openpty()
        words = [sys.executable, "-m", "sercore", *self.WORDS, "--data", str(data)]
        with subprocess.Popen(
            [*words, "--workspace", str(tmp_path)],
            env={**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"},
            stdin=follower,
            stdout=subprocess.PIPE,
            stderr=follower,
            text=True,
        ) as process:
            os.write(leader, b"n\n")
            output, _ = process.communicate(timeout=120)
        shown = os.read(leader, 10_000).decode()
        os.close(follower)
        os.close(leader)

        assert "about 1.3 GB" in shown
        assert "Download the weights of 1 backbone? [y/N]" in shown
        assert process.returncode == 3
        assert "not on this machine" in output
