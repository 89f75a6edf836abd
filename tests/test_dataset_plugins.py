"""The corpus distributions: of one shape, with data cards that are true, installable."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from sercore.corpora.interface import READINGS
from sercore.corpora.labels import MAPPERS
from sercore.plugins.registry import Registry

REPOSITORY = Path(__file__).parent.parent
FOLDERS = sorted(path.parent for path in (REPOSITORY / "plugins/datasets").glob("*/pyproject.toml"))
IDS = [folder.name for folder in FOLDERS]


def data_cards():
    """The script that writes the generated parts of the cards."""
    spec = importlib.util.spec_from_file_location(
        "data_cards", REPOSITORY / "scripts" / "data_cards.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def module_of(folder):
    return f"sercore_dataset_{folder.name.replace('-', '_')}"


def project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def test_the_requirements_list_every_plugin_and_nothing_else():
    lines = (REPOSITORY / "requirements-plugins.txt").read_text().splitlines()
    listed = [line.removeprefix("-e ./") for line in lines if line and not line.startswith("#")]

    folders = [path.parent for path in (REPOSITORY / "plugins").glob("*/*/pyproject.toml")]

    assert sorted(listed) == sorted(str(path.relative_to(REPOSITORY)) for path in folders)
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("folder", FOLDERS, ids=IDS)
def test_every_plugin_has_the_same_shape(folder):
    module = module_of(folder)
    files = {path.name for path in folder.iterdir() if path.is_file()}

    usual = {"pyproject.toml", "README.md", "LICENSE", f"{module}.py"}
    fingerprint = f"{module}_fingerprint.tsv"
    assert files - {fingerprint} == usual
    card = data_cards().load_corpus(folder).card
    assert card.fingerprint == (folder / fingerprint if fingerprint in files else None)
    facts = project(folder)
    assert facts["name"] == f"sercore-dataset-{folder.name}"
    assert facts["entry-points"] == {"sercore": {folder.name: module}}
    assert re.split(r"[<>=]", facts["dependencies"][0])[0] == "sercore"
    assert (facts["license"], facts["readme"]) == ("Apache-2.0", "README.md")


@pytest.mark.parametrize("folder", FOLDERS, ids=IDS)
def test_every_plugin_declares_what_it_imports(folder):
    tree = ast.parse((folder / f"{module_of(folder)}.py").read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])

    needed = imported - set(sys.stdlib_module_names) - {"__future__"}
    declared = {re.split(r"[<>=~! ]", each)[0] for each in project(folder)["dependencies"]}

    assert needed == declared


@pytest.mark.parametrize("folder", FOLDERS, ids=IDS)
def test_the_generated_parts_of_a_card_are_up_to_date(folder):
    cards = data_cards()
    text = (folder / "README.md").read_text(encoding="utf-8")

    assert cards.fill(text, cards.load_corpus(folder)) == text


def test_the_check_names_the_stale_card_and_fails(tmp_path, monkeypatch, capsys):
    cards = data_cards()
    folder = tmp_path / "plugins" / "datasets" / "urdu"
    shutil.copytree(REPOSITORY / "plugins/datasets/urdu", folder)
    card = folder / "README.md"
    monkeypatch.setattr(cards, "PLUGINS", folder.parent)
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("| anger | 100 |", "| anger | 99 |"), encoding="utf-8")

    assert cards.main(["--check"]) == 1
    assert capsys.readouterr().out.strip() == "plugins/datasets/urdu/README.md"
    assert cards.main([]) == 0
    assert card.read_text(encoding="utf-8") == text
    assert cards.main(["--check"]) == 0


@pytest.mark.parametrize("folder", FOLDERS, ids=IDS)
def test_a_card_says_what_a_user_must_know(folder):
    card = data_cards().load_corpus(folder).card
    text = (folder / "README.md").read_text(encoding="utf-8")

    parts = re.split(r"^## ", text, flags=re.MULTILINE)
    words = {
        part.partition("\n")[0]: re.sub(r"<!--.*?-->", "", part.partition("\n")[2], flags=re.DOTALL)
        for part in parts[1:]
    }
    wanted = ["Get it", "What is read", "Counts", "Labels", "Known bad files", "Leak risks"]
    assert list(words) == [*wanted, "Citation"]
    assert all(len(words[name].split()) >= 10 for name in ("What is read", "Leak risks", "Get it"))
    assert f"--dataset {card.id}=" in words["Get it"]
    for counts in card.expected.values():
        assert str(counts.utterances) in words["Counts"]
    if card.expected:
        assert all(f"`{reading}`" in words["Counts"] for reading in READINGS)
    else:
        assert "not known" in words["Counts"]
    assert all(f"`{mapper.id}`" in words["Labels"] for mapper in MAPPERS)
    for known in card.known_bad:
        assert f"`{known}`" in words["Known bad files"]


def test_five_mappers_are_shown():
    wanted = ["paper", "corrected", "consistent", "four-class", "valence"]

    assert [mapper.id for mapper in MAPPERS] == wanted
    assert set(Registry(points=()).label_mappers.items) == set(wanted)


# -- installed, not beside the source ------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return a function that runs sercore where only the core and one plugin are installed.

    The two are built as wheels and unpacked into a folder of their own; third-party libraries come
    from the environment of the tests, its editable installations do not.
    """
    folder = tmp_path_factory.mktemp("installed")
    site, wheels = folder / "site", folder / "wheels"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    offline = ["--no-deps", "--no-index"]
    sources = [REPOSITORY, REPOSITORY / "plugins/datasets/emodb"]
    build = [*pip, "wheel", *offline, "--no-build-isolation", "-w", str(wheels)]
    subprocess.run([*build, *map(str, sources)], check=True)
    built = sorted(wheels.glob("*.whl"))
    subprocess.run([*pip, "install", *offline, "--target", str(site), *map(str, built)], check=True)
    libraries = folder / "libraries"
    libraries.mkdir()
    for each in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not each.name.startswith(("sercore", "_editable_impl_sercore")):
            (libraries / each.name).symlink_to(each)

    def run(code, *arguments):
        path = f"import sys; sys.path[:0] = {[str(site), str(libraries)]!r}; "
        # Without `site`, no .pth file is read, and with it no editable installation.
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", path + code, *map(str, arguments)],
            check=False, capture_output=True, text=True, cwd=folder, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.wheels = [path.name for path in built]
    run.site = site
    return run


SERCORE = "from sercore.cli import main; main()"
COUNT = """
from pathlib import Path
from sercore.corpora.files import CorpusFiles
from sercore.corpora.manifest import build_manifest
from sercore.diagnostics.fingerprint import read_fingerprint
from sercore.plugins.registry import registry
import sercore_dataset_emodb as plugin
corpus = registry().corpora.get("emodb")
print(len(build_manifest(corpus, CorpusFiles(Path(sys.argv[1])), "corrected")))
print(plugin.__file__)
print(len(read_fingerprint(corpus.card.fingerprint).prints))
"""


def test_two_wheels_are_built(installed):
    names = [name.partition("-")[0] for name in installed.wheels]

    assert names == ["sercore", "sercore_dataset_emodb"]


def test_a_single_plugin_appears_and_nothing_else(installed):
    listed = json.loads(installed(SERCORE, "list", "datasets", "--json"))["datasets"]
    plugins = json.loads(installed(SERCORE, "list", "plugins", "--json"))["plugins"]

    demo = {corpus.card.id for corpus in Registry().corpora if corpus.card.demo}
    assert {each["id"] for each in listed} == {"emodb", *demo}
    assert {each["distribution"] for each in plugins} == {"sercore", "sercore-dataset-emodb"}
    assert not [each for each in plugins if each["error"]]


UNKNOWN = """
from sercore.errors import UnknownNameError
from sercore.plugins.registry import registry
for catalog, names in ((registry().corpora, sys.argv[1]), (registry().backbones, sys.argv[2])):
    for name in names.split():
        try:
            catalog.get(name)
        except UnknownNameError as error:
            print(error.hint)
"""


def test_every_plugin_that_is_not_installed_is_offered(installed):
    backbones = [path.parent.name for path in REPOSITORY.glob("plugins/backbones/*/pyproject.toml")]
    missing = [name for name in IDS if name != "emodb"]

    hints = installed(UNKNOWN, " ".join(IDS), " ".join(backbones)).splitlines()

    assert hints == [
        *(f"install it with 'pip install sercore-dataset-{name}'" for name in missing),
        *(f"install it with 'pip install sercore-backbone-{name}'" for name in backbones),
    ]


def test_the_installed_plugin_reads_its_corpus(installed, data):
    count, place, published = installed(COUNT, data / "emodb").splitlines()

    assert (int(count), int(published)) == (72, 535)
    assert Path(place) == installed.site / "sercore_dataset_emodb.py"
