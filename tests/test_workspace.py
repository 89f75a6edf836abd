"""Every write whole or not at all."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sercore.errors import DiskFullError
from sercore.errors import WorkspaceError
from sercore.storage.digests import digest_of
from sercore.storage.workspace import Workspace


def test_a_file_appears_whole(tmp_path):
    workspace = Workspace(tmp_path)

    with workspace.write("a/b.bin") as file:
        file.write(b"half")
        assert workspace.list("a") == []
        file.write(b"whole")

    assert workspace.read_bytes("a/b.bin") == b"halfwhole"
    assert workspace.list("a") == ["b.bin"]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.write_bytes("x", b"old")

    with pytest.raises(ValueError, match="stop"), workspace.write("x") as file:
        file.write(b"new")
        raise ValueError("stop")

    assert workspace.read_bytes("x") == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_killed_writer_leaves_no_file_and_its_rest_is_swept(tmp_path):
    script = textwrap.dedent(
        """
        import sys, time
        from sercore.storage.workspace import Workspace
        with Workspace(sys.argv[1]).write("runs/r/big.bin") as file:
            file.write(b"0" * 100000); file.flush(); print("writing", flush=True); time.sleep(60)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    workspace = Workspace(tmp_path)

    assert workspace.list("runs/r") == []
    assert len(os.listdir(tmp_path / ".tmp")) == 1
    workspace.write_bytes("runs/r/small.bin", b"1")
    assert os.listdir(tmp_path) == ["runs"]


def test_a_full_disk_is_one_sentence(tmp_path):
    """A file-size limit stands for a full disk: the write system call fails alike."""
    script = textwrap.dedent(
        """
        import resource, signal, sys
        from sercore.errors import DiskFullError
        from sercore.storage.workspace import Workspace
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            Workspace(sys.argv[1]).write_bytes("big", b"0" * 100000)
        except DiskFullError as error:
            print(error)
        """
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert "there is no space left to write" in done.stdout
    assert os.listdir(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_claim_excludes_others_and_dies_with_its_process(tmp_path):
    script = textwrap.dedent(
        """
        import sys, time
        from sercore.storage.workspace import Workspace
        with Workspace(sys.argv[1]).claim("runs/r", "the run 'r'"):
            print("held", flush=True); time.sleep(60)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    workspace = Workspace(tmp_path)

    with pytest.raises(WorkspaceError, match="in use by another"), workspace.claim("runs/r", "it"):
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    for _ in range(50):
        try:
            with workspace.claim("runs/r", "it"):
                break
        except WorkspaceError:
            time.sleep(0.1)
    else:
        pytest.fail("the claim outlived its process")


def test_what_is_not_readable_is_named(tmp_path):
    workspace = Workspace(tmp_path)
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 or not")

    with pytest.raises(WorkspaceError, match="bad.json is damaged: it carries no digest"):
        workspace.read_json("bad.json")
    with pytest.raises(WorkspaceError, match="bad.parquet is damaged: it carries no digest"):
        workspace.read_table("bad.parquet")
    with pytest.raises(WorkspaceError, match="none.bin cannot be read"):
        workspace.read_bytes("none.bin")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(WorkspaceError, match="cannot be written"):
        Workspace(tmp_path / "file").write_bytes("x", b"")


def test_disk_full_is_a_workspace_error():
    assert issubclass(DiskFullError, WorkspaceError)


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=6))
def test_a_digest_depends_on_content_not_order(value):
    reordered = dict(sorted(value.items(), reverse=True))

    assert digest_of(value) == digest_of(reordered)


def test_new_folder_is_whole_or_absent(tmp_path):
    workspace = Workspace(tmp_path)

    with pytest.raises(ValueError, match="stop"), workspace.new_folder("corpora/x") as folder:
        (folder / "a.wav").write_bytes(b"1")
        raise ValueError("stop")
    assert not Path(workspace.path("corpora/x")).exists()
    with workspace.new_folder("corpora/x") as folder:
        (folder / "a.wav").write_bytes(b"1")

    assert (Path(workspace.path("corpora/x")) / "a.wav").read_bytes() == b"1"
    assert os.listdir(tmp_path / "corpora") == ["x"]


def test_only_texts_are_stored_with_a_dictionary(tmp_path):
    """A dictionary makes logits larger, and reading them slower."""
    logits = pa.FixedSizeListArray.from_arrays(np.arange(8, dtype=np.float32), 4)
    table = pa.table({"id": ["a", "a"], "speaker": [["s"], ["s", "t"]], "logits": logits})
    place = Workspace(tmp_path)

    place.write_table("t.parquet", table)

    group = pq.read_metadata(tmp_path / "t.parquet").row_group(0)
    columns = [group.column(place_) for place_ in range(group.num_columns)]
    assert {column.path_in_schema: column.has_dictionary_page for column in columns} == {
        "id": True, "speaker.list.element": True, "logits.list.element": False
    }  # fmt: skip
    assert place.read_table("t.parquet").equals(table)
