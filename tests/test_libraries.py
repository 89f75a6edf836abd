"""Libraries are imported in a process of their own: a crash there is a sentence, no crash here."""

from __future__ import annotations

import sys

import pytest

from sercore.diagnostics import corpus_check
from sercore.diagnostics import doctor
from sercore.diagnostics.corpus_check import CorpusChecker
from sercore.diagnostics.doctor import examine
from sercore.diagnostics.libraries import LibraryTrial
from sercore.plugins.registry import Registry
from sercore.settings import Settings
from sercore.storage.workspace import Workspace


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Return a function that installs a module with some code."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name, code):
        (tmp_path / f"{name}.py").write_text(code)

    return install


def test_a_library_that_loads_has_its_version_and_no_error():
    (check,) = LibraryTrial(("pyarrow",)).result()

    assert (check.name, check.error) == ("pyarrow", None)
    assert check.version == sys.modules["pyarrow"].__version__


def test_an_exception_is_one_line(library):
    library("lame", "raise OSError('libx.so:\\n  no such file')")

    lame, healthy = LibraryTrial(("lame", "pyarrow")).result()

    assert lame.error == "OSError: libx.so: no such file"
    assert healthy.error is None


def test_a_crash_names_the_library_and_the_signal(library):
    library("crasher", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")

    first, second, third = LibraryTrial(("pyarrow", "crasher", "soxr")).result()

    assert first.error is None
    assert second.error == "importing it ended Python with SIGSEGV"
    assert third.error == "not checked, because importing crasher ended Python"


def test_a_library_that_exits_says_its_last_word(library):
    library("leaver", "import sys; sys.exit('no licence')")

    (check,) = LibraryTrial(("leaver",)).result()

    assert check.error == "importing it ended Python with exit status 1: no licence"


def test_a_data_folder_is_listed_once_for_all_corpora(tmp_path, monkeypatch):
    listed = []
    places_in = corpus_check.places_in
    monkeypatch.setattr(
        corpus_check, "places_in", lambda data: listed.append(data) or places_in(data)
    )
    monkeypatch.setattr(doctor, "_library_trial", lambda: LibraryTrial(()))
    (tmp_path / "data").mkdir()
    checker = CorpusChecker(
        data=(tmp_path / "data",),
        settings=Settings(),
        workspace=Workspace(tmp_path / "workspace"),
        reading="corrected",
        deep=False,
    )

    diagnosis = examine(Registry(), checker, {})

    assert len(diagnosis.corpora) > 10
    assert listed == [tmp_path / "data"]
