"""The content of recordings: read once, read again exactly where it may have changed."""

from __future__ import annotations

import hashlib
import os
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_corpora import write_urdu

from sercore.corpora import contents
from sercore.corpora.contents import UNREADABLE
from sercore.corpora.contents import changed_files
from sercore.corpora.contents import known_contents
from sercore.corpora.contents import read_contents
from sercore.corpora.files import CorpusFiles
from sercore.storage.workspace import Workspace


@pytest.fixture
def settled(monkeypatch):
    """Let files count as settled as soon as they are written."""
    monkeypatch.setattr(contents, "_SETTLED_NS", -(10**12))


@pytest.fixture
def root(tmp_path):
    return write_urdu(tmp_path / "urdu", n_per_class=3)


@pytest.fixture
def look(root, tmp_path, monkeypatch):
    """Return a function that returns contents by path, with the paths that were read for them."""
    workspace = Workspace(tmp_path / "workspace")
    read = []
    original = contents._read_file
    monkeypatch.setattr(
        contents,
        "_read_file",
        lambda file, now: read.append(file.place.name) or original(file, now),
    )

    def look(**told):
        read.clear()
        files = CorpusFiles(root)
        paths = [entry.path for entry in files if entry.path.endswith(".wav")]
        found = known_contents("urdu", files, [(path, None) for path in paths], workspace, **told)
        return dict(zip(paths, found.digests, strict=True)), sorted(read), found.settled

    return look


@pytest.mark.usefixtures("settled")
def test_a_file_is_read_once(look, root):
    found, read, is_settled = look()

    assert len(read) == len(found) == 12
    assert is_settled
    assert all(
        digest == hashlib.sha256((root / path).read_bytes()).hexdigest()
        for path, digest in found.items()
    )
    assert look() == (found, [], True)


@pytest.mark.usefixtures("settled")
def test_only_a_changed_file_is_read_again(look, root):
    before, _, _ = look()
    path = root / "Sad" / "SM1_F1_S01.wav"
    path.write_bytes(path.read_bytes()[::-1])
    after, read, _ = look()

    assert read == ["SM1_F1_S01.wav"]
    assert {name for name in after if after[name] != before[name]} == {"Sad/SM1_F1_S01.wav"}


@pytest.mark.usefixtures("settled")
def test_a_change_with_its_times_set_back_is_found(look, root):
    """Size and modification time are those of before; the status-change time is not."""
    before, _, _ = look()
    path = root / "Sad" / "SM1_F1_S01.wav"
    facts = path.stat()
    time.sleep(0.05)
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    after, read, _ = look()

    assert (path.stat().st_size, path.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)
    assert read == ["SM1_F1_S01.wav"]
    assert after["Sad/SM1_F1_S01.wav"] != before["Sad/SM1_F1_S01.wav"]


def test_files_that_were_just_written_are_read_again(look):
    """A write within the resolution of a file system's clock leaves no trace in its times."""
    found, read, is_settled = look()
    assert (len(read), is_settled) == (12, False)

    assert look()[:2] == (found, read)


@pytest.mark.usefixtures("settled")
def test_reading_is_reported_in_bytes(look, root):
    told = []
    look(progress=lambda done, total: told.append((done, total)))
    size = sum(path.stat().st_size for path in root.rglob("*.wav"))

    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    told.clear()
    look(progress=lambda done, total: told.append((done, total)))
    assert told == []


@pytest.mark.usefixtures("settled")
def test_an_interruption_keeps_what_was_read(look, monkeypatch):
    monkeypatch.setattr(contents, "_FILES_PER_TASK", 1)

    def interrupt(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(progress=interrupt)
    _, read, _ = look()

    assert 0 < len(read) < 12


@pytest.mark.usefixtures("settled")
def test_an_unreadable_file_is_read_again_once_it_can_be(look, root):
    path = root / "Sad" / "SM1_F1_S01.wav"
    data = path.read_bytes()
    files = CorpusFiles(root)
    list(files)
    path.unlink()
    (found,) = read_contents(files, [("Sad/SM1_F1_S01.wav", None)])
    assert found == UNREADABLE

    path.write_bytes(data)
    assert look()[0]["Sad/SM1_F1_S01.wav"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("nested", [True, False])
def test_embedded_audio_is_known_by_its_bytes_alone(nested, tmp_path):
    """A corrected label in the same Parquet file leaves the audio what it is."""
    audio = [b"one", b"two", None]
    column = [None if data is None else {"bytes": data, "path": "x"} for data in audio]
    found = []
    for label in ("anger", "sadness"):
        table = pa.table(
            {"label": [label] * 3, "audio": column if nested else pa.array(audio, pa.binary())}
        )
        pq.write_table(table, tmp_path / "train.parquet", row_group_size=2)
        places = [("train.parquet", row) for row in range(3)]
        found.append(read_contents(CorpusFiles(tmp_path), places))

    assert found[0] == found[1]
    assert found[0] == [hashlib.sha256(data or b"").hexdigest() for data in audio]


@pytest.mark.usefixtures("settled")
def test_verification_reads_all_files_whatever_their_times(look, root, tmp_path):
    look()
    workspace = Workspace(tmp_path / "workspace")
    assert list(changed_files(workspace)) == [("urdu", str(root), [])]
    path = root / "Sad" / "SM1_F1_S01.wav"
    path.write_bytes(path.read_bytes()[::-1])
    (root / "Sad" / "SM2_F2_S02.wav").unlink()

    ((corpus, folder, paths),) = changed_files(workspace)

    assert (corpus, folder) == ("urdu", str(root))
    assert paths == ["Sad/SM1_F1_S01.wav", "Sad/SM2_F2_S02.wav"]
