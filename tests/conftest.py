"""What all tests share: isolation from the user's machine, and small real corpora."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings
from small_corpora import write_emodb
from small_corpora import write_urdu

settings.register_profile("sercore", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("sercore")

# Before torch is imported: on a busy machine, threads that wait actively slow tests down.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ONE_SEED = "SERCORE_RUN_N_SEEDS"
"""Sets the default of ``run --seeds``: one seed keeps tests short that are not about seeds."""
os.environ[ONE_SEED] = "1"

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Return a data folder with two small corpora, for tests of a module that share runs."""
    data = tmp_path_factory.mktemp("data")
    write_urdu(data / "URDU-Dataset-master")
    write_emodb(data / "emodb")
    return data


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path_factory):
    """Keep settings, caches and networks of this machine out of every test."""
    for name in list(os.environ):
        if name.startswith("SERCORE_") and name != ONE_SEED:
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def shared():
    """Return the folder with real corpora and reference facts; skip where it is not there."""
    if not (SHARED / "corpora").is_dir():
        pytest.skip("the reference folder ../shared is not beside this checkout")
    return SHARED


@pytest.fixture
def data(tmp_path):
    """Return a data folder with two small corpora under their usual names."""
    write_urdu(tmp_path / "data" / "URDU-Dataset-master")
    write_emodb(tmp_path / "data" / "emodb")
    return tmp_path / "data"


@pytest.fixture(scope="session")
def ordinary_user():
    """Return the words before a command that let permissions bind it even where tests run as root.

    The process stays root and loses the two capabilities that let root read what it may not, so
    that the interpreter itself can lie where only root may look.
    """
    if os.geteuid() != 0:
        return []
    words = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0)
        command = [*words, sys.executable, "-c", f"import os; os.listdir({folder!r})"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("THE FAULT CANNOT BE INJECTED: root without setpriv reads everything")
        if "PermissionError" not in answer.stderr:
            pytest.skip("THE FAULT CANNOT BE INJECTED: this machine's root reads everything")
    return words
