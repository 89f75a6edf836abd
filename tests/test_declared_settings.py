"""How a corpus without a plugin is declared, listed, checked and fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from declared import declare
from declared import write_recordings

from sercore.cli import cli
from sercore.cli.options import parse_datasets
from sercore.errors import SettingsError
from sercore.errors import UnknownNameError
from sercore.plugins.declared import all_corpora
from sercore.plugins.registry import registry
from sercore.runs.resolve import CorpusPlace
from sercore.settings import DatasetSettings
from sercore.settings import Settings
from sercore.settings import parse_source
from sercore.settings import read_settings

DECLARATION = """
[datasets.mine]
source = "table:lists/labels.csv"
path = "speech"
columns = { label = "emotion" }
labels = { Wut = "anger" }
speaker_separator = "+"
title = "Mine"
language = "German"
ignore_labels = ["unsure"]
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Return a folder with settings, a table and recordings, which is the current one."""
    write_recordings(tmp_path, "speech/1.wav", "speech/2.wav")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/labels.csv").write_text("path,emotion\n1.wav,Wut\n2.wav,neutral\n")
    (tmp_path / "sercore.toml").write_text(DECLARATION)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sercore(*words):
    """Return the exit status, standard output and standard error of a command."""
    result = CliRunner().invoke(cli, [*map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


class TestSources:
    def test_a_declaration_is_read_whole(self, written):
        mine = read_settings().datasets["mine"]

        assert str(mine.source) == f"table:{written}/lists/labels.csv"
        assert mine.path == written / "speech"
        assert (mine.labels, mine.columns) == ({"Wut": "anger"}, {"label": "emotion"})
        assert (mine.speaker_separator, mine.title, mine.language) == ("+", "Mine", "German")

    def test_a_declaration_survives_json(self, written):
        place = CorpusPlace(path=written, settings=read_settings().datasets["mine"])

        plain = json.loads(json.dumps(place.to_plain()))

        assert CorpusPlace.from_plain(plain) == place
        assert (
            CorpusPlace.from_plain(CorpusPlace(path=written).to_plain()).settings
            == DatasetSettings()
        )

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("tabel:x.csv", "'tabel:x.csv' is not the source of a corpus; write table:FILE, f"),
            ("table:", "'table:' is not the source of a corpus"),
            ("hf:org/name", "'hf:org/name' has no revision, and the data behind a name can chang"),
            ("hf:org/name@", "has no revision"),
            ("hf:./gone", "names neither a folder nor a dataset of the Hub; write hf:ORG/NAME@R"),
        ],
    )
    def test_a_source_that_cannot_be_used_is_one_sentence(self, tmp_path, text, sentence):
        with pytest.raises(SettingsError) as error:
            parse_source(text, tmp_path)

        assert sentence in str(error.value)

    @pytest.mark.parametrize(
        "key", ["labels = 3", "columns = [1]", "source = 3", "labels = {a = 1}"]
    )
    def test_a_setting_of_another_type_is_one_sentence(self, tmp_path, key):
        (tmp_path / "s.toml").write_text(f"[datasets.mine]\n{key}\n")

        with pytest.raises(SettingsError, match=r"s\.toml: (labels|columns|source) must"):
            read_settings(tmp_path / "s.toml")

    def test_a_column_that_sercore_does_not_read_is_one_sentence(self):
        with pytest.raises(SettingsError, match="the columns of mine include 'age', which"):
            declare("table:x.csv", columns={"age": "age"})


class TestCommandLine:
    def test_a_source_on_the_command_line_keeps_the_other_settings(self, written):
        chosen, settings = parse_datasets(
            ("mine=folder:speech", "emodb=/x", "urdu"), read_settings()
        )

        assert chosen == {"mine": None, "emodb": Path("/x"), "urdu": None}
        assert str(settings.datasets["mine"].source) == f"folder:{written}/speech"
        assert settings.datasets["mine"].labels == {"Wut": "anger"}

    def test_a_file_for_a_declared_corpus_is_another_source_of_its_kind(self, written):
        chosen, settings = parse_datasets(("mine=other.csv",), read_settings())

        assert chosen == {"mine": None}
        assert str(settings.datasets["mine"].source) == f"table:{written}/other.csv"

    def test_two_tables_of_one_name_are_one_sentence(self):
        with pytest.raises(SettingsError, match="every ID once"):
            parse_datasets(("mine=table:a.csv", "mine=table:b.csv"), Settings())

    @pytest.mark.usefixtures("written")
    @pytest.mark.parametrize("command", ["run", "doctor"])
    @pytest.mark.parametrize("value", ["speech", "tabel:lists/labels.csv"])
    def test_a_folder_for_an_unknown_name_says_how_to_declare_it(self, command, value):
        with pytest.raises(UnknownNameError) as error:
            sercore(command, "--dataset", f"my={value}")

        assert str(error.value) == (
            "there is no corpus named 'my' among the installed plugins; write my=folder:DIR or "
            "my=table:FILE for a corpus of your own"
        )


class TestNames:
    def catalog(self, name, **settings):
        return all_corpora(registry(), Settings(datasets={name: DatasetSettings(**settings)}))

    def test_the_name_of_a_plugin_is_refused(self):
        source = parse_source("table:x.csv", Path())
        with pytest.raises(
            SettingsError, match=r"'emodb' is a corpus of sercore-dataset-emodb, and"
        ):
            self.catalog("emodb", source=source)

    @pytest.mark.parametrize("name", ["My Corpus", "mine/../x", "mine_2", ""])
    def test_a_name_that_cannot_be_a_file_is_refused(self, name):
        with pytest.raises(
            SettingsError, match="use lower-case letters, digits and single hyphens"
        ):
            self.catalog(name, source=parse_source("table:x.csv", Path()))

    def test_settings_without_effect_are_refused(self):
        with pytest.raises(
            SettingsError, match=r"datasets\.emodb\.labels has no effect on a corpus"
        ):
            self.catalog("emodb", labels={"W": "anger"})

    def test_labels_without_a_source_wait_for_one(self):
        with pytest.raises(UnknownNameError):
            self.catalog("mine", labels={"W": "anger"}).get("mine")


class TestOtherCommands:
    @pytest.mark.usefixtures("written")
    def test_list_shows_declared_corpora(self):
        status, text, _ = sercore("list", "datasets", "--json")

        (mine,) = [row for row in json.loads(text)["datasets"] if row["id"] == "mine"]
        assert status == 0
        assert (mine["title"], mine["language"], mine["access"]) == ("Mine", "German", "declared")
        assert (mine["utterances"], mine["distribution"]) == (None, "sercore.toml")

    @pytest.mark.torch
    def test_doctor_checks_declared_corpora(self, written):
        _, text, _ = sercore("doctor", "--json", "--workspace", "w", "--deep", "--dataset", "mine")

        (mine,) = json.loads(text)["corpora"]
        assert mine["verdict"] == "complete"
        assert mine["classes"] == {"anger": 1, "neutral": 1}
        assert mine["root"] == str(written / "speech")

    @pytest.mark.torch
    def test_a_table_that_is_gone_is_not_found_and_no_fault(self, written):
        (written / "lists/labels.csv").unlink()

        status, text, _ = sercore("doctor", "--json", "--workspace", "w", "--dataset", "mine")

        (mine,) = json.loads(text)["corpora"]
        assert (status, mine["verdict"]) == (0, "not found")
        assert mine["obtain"].startswith(f"there is no table {written}/lists/labels.csv")

    def test_fetch_needs_no_folder_for_them(self, written):
        (written / "sercore.toml").write_text(
            DECLARATION + '[datasets.hub]\nsource = "hf:org/name@v1"\n'
        )

        here = sercore("fetch", "mine", "--workspace", "w")
        gone = sercore("fetch", "hub", "--workspace", "w")

        assert here[:2] == (0, f"mine: {written}/lists/labels.csv\n")
        assert gone[0] == 3
        assert "hf:org/name@v1 is not in the cache of the Hugging Face Hub" in gone[2]
