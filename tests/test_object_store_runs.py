"""Runs in a real S3 server: two drivers, a store that fails, frames larger than memory.

Every trial ends with the bytes of an undisturbed run in a folder.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import time
import uuid

import pytest
from small_corpora import write_emodb
from small_corpora import write_urdu
from stores import BUCKET
from stores import FaultProxy
from stores import environment
from stores import seaweedfs

from sercore.storage.workspace import Workspace

pytestmark = pytest.mark.torch

TIMED = ("run.json", "journal.parquet", "log.parquet")
"""Files that hold times, and no results."""
PLACES = ("specs", "manifests", "contents", "corpora", ".")
"""What depends on where the corpora and files of a machine are."""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    write_urdu(data / "URDU-Dataset-master", n_per_class=8)
    write_emodb(data / "emodb", n_per_class=8)
    return data


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with seaweedfs(tmp_path_factory.mktemp("weed")) as address:
        yield address


@pytest.fixture
def root(server, monkeypatch):
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def proxy(server, root, monkeypatch):
    """Return a proxy before the server, which the environment names from now on."""
    del root  # it names the server first
    with FaultProxy(server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        yield proxy


def start(corpora, workspace, *more, **variables):
    words = ["run", "--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--offline"]
    words += ["--probe", "pooled", "--class-rule", "shared-classes", "--threads", "1", "--json"]
    words += ["--data", str(corpora), "--workspace", str(workspace), *more]
    return subprocess.Popen(
        [sys.executable, "-m", "sercore", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )


def end(process, status=0):
    out, err = process.communicate(timeout=280)
    assert process.returncode == status, (out, err)
    assert "Traceback" not in err
    return json.loads(out)


def results(workspace, *, run="default"):
    """Return the bytes of all results of a workspace; those of runs for one run alone."""
    place = Workspace(workspace)
    return {
        path: place.read_bytes(path)
        for path, _ in place.walk("")
        if not path.startswith(PLACES)
        and not path.endswith(TIMED)
        and (not path.startswith("runs/") or path == f"runs/{run}/scores.parquet")
    }


@pytest.fixture(scope="module")
def expected(corpora, tmp_path_factory):
    """Return the results of a run in a folder."""
    place = tmp_path_factory.mktemp("reference")
    end(start(corpora, place))
    return results(place)


def same(found, expected):
    """Compare results, with paths in the message if they differ."""
    assert sorted(found) == sorted(expected)
    assert [path for path in found if found[path] != expected[path]] == []


def test_two_drivers_in_one_store_share_the_work_and_write_the_bytes_of_a_folder(
    corpora, root, expected
):
    processes = [start(corpora, root), start(corpora, root, "--name", "second")]

    said = [end(process) for process in processes]

    same(results(root), expected)
    second = results(root, run="second")
    assert second["runs/second/scores.parquet"] == expected["runs/default/scores.parquet"]
    for stage in ("extract", "fit"):
        assert sum(one["computed"].get(stage, 0) for one in said) == 2
    assert Workspace(root).leases() == []
    again = end(start(corpora, root))
    assert again["computed"] == {}


@pytest.mark.slow
def test_shares_in_one_store_leave_nothing_to_compute(corpora, root, expected):
    shares = [start(corpora, root, "--shard", f"{number}/2") for number in (2, 1)]
    for process in shares:
        _, err = process.communicate(timeout=280)
        assert process.returncode == 0, err

    said = end(start(corpora, root))

    assert said["computed"].keys() <= {"score"}
    same(results(root), expected)


def flaky(seed, share):
    """Return a fault: some requests fail, each in one of several ways."""
    chance = random.Random(seed)

    def fault(*_):
        return chance.choice([500, 503, "cut", "lost", 0.2]) if chance.random() < share else None

    return fault


def test_a_flaky_and_slow_store_costs_time_and_no_byte(corpora, root, proxy, expected):
    proxy.fault = flaky(1, 0.15)

    end(start(corpora, root))

    proxy.fault = lambda *_: None
    assert sum(fault is not None for _, _, fault in proxy.requests) > 20
    same(results(root), expected)


def wait_for(proxy, pattern, process):
    """Wait until a request for a path was passed on."""
    for _ in range(3000):
        if any(re.search(pattern, path) for method, path, _ in proxy.requests if method == "PUT"):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    pytest.fail(f"nothing was written to {pattern}")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["/features/", "/probes/", "/predictions/"])
def test_a_store_that_goes_away_ends_the_run_in_one_sentence_and_the_next_run_continues(
    corpora, root, proxy, expected, where
):
    process = start(corpora, root, SERCORE_STORE_PATIENCE="1")
    wait_for(proxy, where, process)
    proxy.fault = lambda *_: 503
    began = time.monotonic()

    out, err = process.communicate(timeout=120)

    assert process.returncode == 1
    assert time.monotonic() - began < 60
    assert "Traceback" not in err
    assert "the store does not answer (503 Service Unavailable: made to fail)" in out + err
    assert "what is done is kept" in out + err
    proxy.fault = lambda *_: None
    end(start(corpora, root))
    same(results(root), expected)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["/features/", "/probes/", "/predictions/"])
def test_a_killed_driver_leaves_whole_files_and_the_next_run_continues(
    corpora, root, proxy, expected, where
):
    process = start(corpora, root)
    wait_for(proxy, where, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    said = end(start(corpora, root))

    assert said["cells"] == {"done": 4}
    same(results(root), expected)


FIT = """
import json, resource, sys
import numpy as np
import torch
from sercore.features.store import FeatureStore
from sercore.probes.framewise import FramewiseProbe
from sercore.probes.training_recipe import TrainingRecipe
from sercore.storage.workspace import Workspace
root, folder, extra = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(1)
recipe = TrainingRecipe(epochs=2)
def fit(store):
    frames = store.open()
    rows = np.flatnonzero(frames.length)
    labels = (rows % 3).astype(np.int64)
    return FramewiseProbe(recipe=recipe).fit(
        frames, rows, labels, n_classes=3, seed=1, device="cpu"), frames
def used(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return int(line.split()[1]) * 1024
rng = np.random.default_rng(0)  # a small fit first: it loads what torch loads once
from sercore.features.packed import PackedFrames
small = PackedFrames([rng.standard_normal((600, 1024)).astype(np.float16)], np.zeros(60, np.int32),
                     np.arange(60) * 10, np.full(60, 10), 1024)
FramewiseProbe(recipe=recipe).fit(
    small, np.arange(60), np.arange(60) % 3, n_classes=3, seed=1, device="cpu")
before = used("VmHWM:")
if extra:
    limit = used("VmData:") + extra
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
fitted, frames = fit(FeatureStore.read(Workspace(root), folder))
import hashlib
digest = hashlib.sha256(b"".join(fitted.weights[name].tobytes() for name in sorted(fitted.weights)))
print(json.dumps({"grown": used("VmHWM:") - before, "digest": digest.hexdigest(),
                  "frames": frames.n_frames * frames.width * 2}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("scratch", ["2GB", "0"], ids=["scratch disk", "no scratch disk"])
def test_a_fit_on_frames_that_are_larger_than_the_memory_it_may_use(tmp_path, root, scratch):
    import numpy as np

    from sercore.features.parts import ExtractedUtterance
    from sercore.features.store import FeatureStore

    rng, n_parts, n, length, width = np.random.default_rng(0), 10, 64, 400, 1024
    identity = {"encoder": {"width": width}, "corpus": "c", "utterances": n * n_parts}
    rows = np.split(np.arange(n * n_parts), n_parts)
    stores = [
        FeatureStore(
            Workspace(place), identity, [str(part) for part in range(n_parts)], lambda: rows
        )
        for place in (tmp_path, root)
    ]
    for part in range(n_parts):
        frames = rng.standard_normal((n, length, width)).astype(np.float32)
        utterances = [
            ExtractedUtterance(row=row, path="x", frames=frames[place])
            for place, row in enumerate(rows[part].tolist())
        ]
        for store in stores:
            store.write_part(part, utterances, layer_means=False, plan={})
    for store in stores:
        store.write_description()
    said = {}
    for name, store, extra in (("local", stores[0], 0), ("remote", stores[1], 300 << 20)):
        place = (str(tmp_path) if name == "local" else root, store.folder, str(extra))
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(FIT), *place],
            env={
                **os.environ,
                "SERCORE_FRAME_MEMORY": "64MB",
                "SERCORE_FRAME_SCRATCH": scratch,
                "TMPDIR": str(tmp_path),
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr
        said[name] = json.loads(done.stdout)
    sys.stdout.write(f"\n{json.dumps(said)}\n")

    assert said["remote"]["frames"] == n * n_parts * length * width * 2 > 500e6
    assert said["remote"]["digest"] == said["local"]["digest"]
    assert said["remote"]["grown"] < 300 << 20
