"""A second run after a corpus or stored files have changed: it computes what changed, no more."""

from __future__ import annotations

import os
from zlib import crc32

import numpy as np
import pytest
import soundfile

from sercore.cli.observers import QuietObserver
from sercore.plugins.registry import registry
from sercore.runs.api import execute
from sercore.runs.api import prepare
from sercore.runs.events import RunOptions
from sercore.runs.selection import Selection
from sercore.settings import Settings
from sercore.storage.workspace import Workspace

pytestmark = pytest.mark.torch


class Listener(QuietObserver):
    """Keeps the notes of all runs."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def run(data, tmp_path, listener):
    """Return a function that runs and returns the run's result with the new and changed parts."""
    workspace = Workspace(tmp_path / "workspace")
    selection = Selection(
        data=(data,),
        datasets={"urdu": None, "emodb": None},
        backbones=("logmel",),
        protocol=registry().protocols.get("standard"),
        probes=("logistic",),
        n_seeds=1,
        offline=True,
    )
    seen = {}

    def run():
        prepared = prepare(selection, Settings(), workspace)
        result = execute(prepared, listener, RunOptions(name="r", threads=1))
        found = {
            path.name: path.stat().st_mtime_ns
            for path in (tmp_path / "workspace").glob("features/*/parts/*.arrow")
            if ".means" not in path.name
        }
        written = [name for name in found if seen.get(name) != found[name]]
        seen.update(found)
        return result, written

    return run


def noise(path, *, keep_times):
    """Write noise of the same size over a recording."""
    facts = path.stat()
    sound, rate = soundfile.read(path, dtype="int16")
    generator = np.random.default_rng(crc32(path.name.encode()))
    loud = generator.integers(-9000, 9000, len(sound), dtype=np.int16)
    soundfile.write(path, loud, rate, subtype="PCM_16")
    assert path.stat().st_size == facts.st_size
    if keep_times:
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize("keep_times", [False, True])
def test_noise_over_a_corpus_is_computed_and_nothing_else(run, data, keep_times):
    first, written = run()
    assert len(written) == 3  # 48 utterances of urdu, 72 of emodb
    assert not run()[0].computed
    for path in (data / "URDU-Dataset-master").rglob("*.wav"):
        noise(path, keep_times=keep_times)
    second, written = run()

    assert len(written) == 1
    assert second.computed["extract"] == 1
    assert second.computed["fit"] == 1
    assert second.exit_status == first.exit_status
    assert not run()[0].computed


def test_one_changed_recording_extracts_one_part(run, data):
    run()
    noise(sorted((data / "emodb").rglob("*.wav"))[7], keep_times=True)
    second, written = run()

    assert len(written) == 1
    assert second.computed["extract"] == second.computed["fit"] == 1


def test_a_corrected_label_fits_again_and_extracts_nothing(run, data):
    run()
    folder = data / "URDU-Dataset-master"
    (folder / "Angry" / "SM1_F1_A01.wav").rename(folder / "Sad" / "SM1_F99_S01.wav")
    second, written = run()

    assert written == []
    assert second.computed["extract"] == 0
    assert second.computed["fit"] == 1


@pytest.mark.parametrize("pattern", ["manifests/urdu/corrected.parquet", "features/*/parts/*.json"])
def test_a_damaged_file_is_one_sentence_and_the_same_results(run, listener, tmp_path, pattern):
    first, _ = run()
    path = min((tmp_path / "workspace").glob(pattern))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    second, written = run()

    assert second.exit_status == first.exit_status
    assert len([note for note in listener.notes if "damaged" in note]) == 1
    assert len(written) == (1 if "parts" in pattern else 0)
    assert second.computed["fit"] == second.computed["predict"] == 0
    assert not run()[0].computed
