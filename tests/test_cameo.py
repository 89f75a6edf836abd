"""The example of CAMEO, against a snapshot and a server with the schema that its page states."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from declared import problems
from declared import read
from declared import rows
from hub_server import hub
from sounds import noise
from sounds import wav_bytes

from sercore.corpora.declared import DeclaredCorpus
from sercore.errors import CorpusMissingError
from sercore.settings import read_settings

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "cameo" / "sercore.toml"
COMMIT = "6a9de56c7570bb06b60e8be2b8b97093b2dfa876"
SIX = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")
LABELS = {
    "cafe": (*SIX, "surprise"),
    "crema_d": SIX,
    "emns": ("anger", "disgust", "excitement", "happiness", "neutral", "sadness", "sarcasm"),
    "emozionalmente": (*SIX, "surprise"),
    "enterface": ("anger", "disgust", "fear", "happiness", "sadness", "surprise"),
    "jl_corpus": (
        *("anger", "anxiety", "apology", "assertiveness", "concern", "encouragement"),
        *("excitement", "happiness", "neutral", "sadness"),
    ),
    "mesd": SIX,
    "nemo": ("anger", "fear", "happiness", "neutral", "sadness", "surprise"),
    "oreau": (*SIX, "surprise"),
    "pavoque": ("anger", "happiness", "neutral", "poker", "sadness"),
    "ravdess": (*SIX, "calm", "surprise"),
    "resd": (*SIX, "enthusiasm"),
    "subesco": (*SIX, "surprise"),
}
"""The labels of every split that the references state."""


def split(name, labels):
    """Return the files of a split: two shards with every label once."""
    files = {}
    for shard, part in enumerate((labels[::2], labels[1::2])):
        ids = [f"{name}_{label}.wav" for label in part]
        sounds = [{"bytes": wav_bytes(noise(len(one), 300)), "path": one} for one in ids]
        n = len(part)
        table = pa.table(
            {
                "file_id": ids,
                "audio": pa.array(
                    sounds, pa.struct([("bytes", pa.binary()), ("path", pa.string())])
                ),
                "emotion": part,
                "transcription": ["the words"] * n,
                "speaker_id": [f"{name}_{number % 2}" for number in range(n)],
                "gender": ["female", "male"] * (n // 2) + ["female"] * (n % 2),
                "age": ["30"] * n,
                "dataset": [name] * n,
                "language": ["a language"] * n,
                "license": ["a licence"] * n,
            }
        )
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        files[f"data/{name}-0000{shard}-of-00002.parquet"] = sink.getvalue().to_pybytes()
    return files


@pytest.fixture(scope="module")
def content():
    return {
        path: data for name, labels in LABELS.items() for path, data in split(name, labels).items()
    }


@pytest.fixture
def cache(content, tmp_path, monkeypatch):
    """Put a snapshot into a cache of the Hub, as huggingface_hub lays it out."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for path, data in content.items():
        place = tmp_path / "datasets--amu-cai--CAMEO" / "snapshots" / COMMIT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


@pytest.mark.usefixtures("cache")
def test_every_section_reads_its_split_and_no_other(tmp_path):
    datasets = read_settings(EXAMPLE).datasets

    assert sorted(datasets) == [f"cameo-{name.replace('_', '-')}" for name in sorted(LABELS)]
    for name, labels in LABELS.items():
        own = f"cameo-{name.replace('_', '-')}"
        found = read(DeclaredCorpus(name=own, settings=datasets[own]), tmp_path / "workspace")

        assert sorted(label for (label,) in rows(found, "native_label")) == sorted(labels)
        assert {split for (split,) in rows(found, "official_split")} == {name}
        assert rows(found, "utterance_id", "speaker", "gender", "text_id")[0] == (
            f"{name}_{labels[0]}",
            [f"{name}_0"],
            "female",
            "the words",
        )
        assert problems(found) == []


def test_fetch_downloads_the_files_of_one_corpus_and_a_run_needs_no_network(
    content, tmp_path, monkeypatch
):
    from huggingface_hub import constants

    with hub("amu-cai/CAMEO", COMMIT, content) as (address, asked):
        fetched = _fetch("cameo-crema-d", address, tmp_path)

    assert fetched.returncode == 0, fetched.stderr
    assert fetched.stdout.strip().endswith(f"snapshots/{COMMIT}")
    assert sorted(asked) == [f"data/crema_d-0000{shard}-of-00002.parquet" for shard in (0, 1)]
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    settings = read_settings(EXAMPLE).datasets["cameo-crema-d"]
    found = read(DeclaredCorpus(name="cameo-crema-d", settings=settings), tmp_path / "workspace")
    assert (len(found), problems(found)) == (6, [])


def test_a_repository_that_does_not_exist_is_one_sentence(tmp_path):
    with hub("other/name", COMMIT, {}) as (address, _):
        fetched = _fetch("cameo-cafe", address, tmp_path)

    assert fetched.returncode == 3
    assert f"cameo-cafe: hf:amu-cai/CAMEO@{COMMIT} cannot be downloaded: " in fetched.stderr
    assert "Traceback" not in fetched.stderr


def test_a_snapshot_without_a_network_is_one_sentence(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    settings = read_settings(EXAMPLE).datasets["cameo-cafe"]

    with pytest.raises(CorpusMissingError, match=r"and cannot be downloaded; check the connection"):
        DeclaredCorpus(name="cameo-cafe", settings=settings).find(offline=False)


def _fetch(name, address, folder):
    return subprocess.run(
        [sys.executable, "-m", "sercore", "fetch", name],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "HF_ENDPOINT": address,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_CACHE": str(folder / "hub"),
            "SERCORE_CONFIG": str(EXAMPLE),
        },
    )
