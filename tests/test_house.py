"""Rules about the code itself: public names, imports, and words."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

import sercore

REPOSITORY = Path(__file__).resolve().parent.parent
CORE = sorted((REPOSITORY / "sercore").rglob("*.py"))
PLUGINS = sorted(REPOSITORY.glob("plugins/*/*/sercore_*.py"))
TESTS = sorted((REPOSITORY / "tests").glob("test_*.py"))

PUBLIC = [
    "GENDERS",
    "AnnotatedCorpus",
    "Annotation",
    "AudioError",
    "Backbone",
    "BackboneCard",
    "BackboneError",
    "BackboneUnavailableError",
    "CellEvent",
    "Checkpoint",
    "Corpus",
    "CorpusCard",
    "CorpusError",
    "CorpusFiles",
    "Counts",
    "Download",
    "Emotion",
    "EncodedUtterance",
    "Encoder",
    "EncoderOptions",
    "EpochRecord",
    "Evaluation",
    "ExecutionContext",
    "Executor",
    "FileNameCorpus",
    "FittedProbe",
    "Label",
    "LabelMapper",
    "Metric",
    "Outcome",
    "Outcomes",
    "PackedFrames",
    "ParquetCorpus",
    "Probe",
    "Problem",
    "Protocol",
    "PublishedFolds",
    "Resources",
    "Result",
    "RunEvent",
    "Scan",
    "SercoreError",
    "TableCorpus",
    "Task",
    "TaskQueue",
    "TaskReport",
    "TransformersBackbone",
    "Utterance",
    "__version__",
    "column_positions",
    "csv_rows",
    "decode_text",
    "do_task",
    "evaluate",
    "hookimpl",
    "load",
    "paths_like",
    "require_paths",
    "whisper_card",
]
"""What plugins and notebooks may import. A change here belongs into the CHANGELOG."""

PLAIN = ["benchmarks", "plugins", "scripts", "sercore"]
"""Files and folders in which every loop variable has a name that says what it is."""


def python_files(place):
    """Return the Python files of a file or folder of the repository."""
    path = REPOSITORY / place
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def short(path):
    """Return a path for the name of a test."""
    return str(path.relative_to(REPOSITORY))


def imports(path):
    """Return the dotted names of all modules that a file imports, types included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{short(path)} uses a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def loop_variables(path):
    """Return (line, name) of every variable that a loop or a comprehension binds."""
    targets = [
        node.target
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension))
    ]
    return [
        (name.lineno, name.id)
        for target in targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    ]


def is_inside(name, package):
    """Return whether a dotted name is a package or lies in it."""
    return name == package or name.startswith(f"{package}.")


def test_the_public_names_are_the_stated_ones():
    """They are sorted as constants, classes and functions."""
    assert sercore.__all__ == PUBLIC
    assert dir(sercore) == sorted(PUBLIC)
    ordered = sorted(
        set(PUBLIC), key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    assert ordered == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_imported(name):
    assert getattr(sercore, name) is not None


@pytest.mark.parametrize("path", PLUGINS, ids=short)
def test_plugins_import_public_names_only(path):
    allowed = {"sercore"} | {f"sercore.{name}" for name in PUBLIC}
    ours = {name for name in imports(path) if is_inside(name, "sercore")}

    assert ours
    assert ours <= allowed


def test_the_contract_names_every_plugin():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [known for known in settings["contracts"] if known["id"] == "plugins"]

    assert contract["forbidden_modules"] == sorted(path.stem for path in PLUGINS)


@pytest.mark.parametrize("package", ["sercore.testing", "benchmarks", "tests"])
def test_the_core_imports_nothing_that_is_for_tests(package):
    asked = "sercore/cli/check.py" if package == "sercore.testing" else None  # runs contracts
    breaches = [
        short(path)
        for path in CORE
        if "testing" not in path.relative_to(REPOSITORY).parts
        and short(path) != asked
        and any(is_inside(name, package) for name in imports(path))
    ]

    assert breaches == []


def test_modules_that_import_torch_skip_without_it():
    """The tests can be collected where torch is not installed."""
    heavy = ("torch", "torchaudio", "transformers")
    for path in TESTS:
        body = ast.parse(path.read_text()).body
        skips = [
            node.lineno
            for node in body
            if isinstance(node, ast.Expr) and "importorskip('torch')" in ast.unparse(node)
        ]
        first = [
            node.lineno
            for node in body
            if isinstance(node, (ast.Import, ast.ImportFrom))
            and ast.unparse(node).split()[1].split(".")[0] in heavy
        ]
        if first:
            assert skips, f"{short(path)} imports torch without pytest.importorskip('torch')"
            assert skips[0] < first[0], f"{short(path)} imports torch before it skips"


@pytest.mark.parametrize("place", PLAIN)
def test_loop_variables_have_names(place):
    files = python_files(place)

    assert files, f"{place} does not exist"
    found = [
        f"{short(path)}:{line}"
        for path in files
        for line, name in loop_variables(path)
        if name == "each"
    ]
    assert found == []
