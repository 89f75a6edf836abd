"""What all tests share: isolation from the user's machine, and small real corpora."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import settings

settings.register_profile("sercore", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("sercore")

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path_factory):
    """Keep settings, caches and networks of this machine out of every test."""
    for name in list(os.environ):
        if name.startswith("SERCORE_"):
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


def write_wav(path, *, seconds=0.5, rate=16000, pitch=200.0, level=0.3, seed=0):
    """Write a real PCM16 wav: a tone with harmonics and a little noise, distinct by seed."""
    import soundfile

    generator = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in (1, 2, 3))
    wave = level * wave + 0.01 * generator.standard_normal(len(t))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave.astype(np.float32), rate, subtype="PCM_16")


def write_urdu(root, n_per_class=12):
    """Write a small corpus with the names of URDU-Dataset; pitch tells the class."""
    for number, (folder, letter, pitch) in enumerate(
        [("Angry", "A", 320), ("Happy", "H", 240), ("Neutral", "N", 170), ("Sad", "S", 110)]
    ):
        for i in range(1, n_per_class + 1):
            name = f"SM{1 + i % 3}_F{i}_{letter}{i:02d}.wav"
            seed = 100 * number + i
            write_wav(root / folder / name, pitch=pitch * (1 + 0.02 * (i % 5)), seed=seed)
    return root


def write_emodb(root, n_per_class=12):
    """Write a small corpus with the names of EmoDB."""
    for number, (letter, pitch) in enumerate(
        [("W", 330), ("F", 250), ("N", 180), ("T", 115), ("A", 280), ("E", 150)]
    ):
        for i in range(n_per_class):
            speaker = ("03", "08", "09", "10")[i % 4]
            name = f"{speaker}a{i % 10:02d}{letter}{'abcdef'[i // 10]}.wav"
            write_wav(
                root / "wav" / name, pitch=pitch * (1 + 0.02 * (i % 5)), seed=1000 * number + i
            )
    return root


@pytest.fixture
def data(tmp_path):
    """Return a data folder with two small corpora under their usual names."""
    write_urdu(tmp_path / "data" / "URDU-Dataset-master")
    write_emodb(tmp_path / "data" / "emodb")
    return tmp_path / "data"
