"""The executor ``ray`` on a real cluster of three nodes, and on this machine alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import ray_cluster
from whole_runs import end
from whole_runs import stored

from sercore.executors.options import executor_options
from sercore.plugins.registry import registry

pytestmark = [pytest.mark.torch, pytest.mark.timeout(900)]
pytest.importorskip("ray", reason="RAY IS NOT INSTALLED: pip install ray")

DEMO = ("run", "--all", "--demo", "--offline", "--threads", "1", "--probe", "fast")


@pytest.fixture
def cluster(tmp_path):
    """Return a process with a cluster, and its address."""
    with ray_cluster.running(tmp_path / "cluster", 3) as started:
        yield started


def start(folder, *more, options=""):
    folder.mkdir(exist_ok=True)
    (folder / "sercore.toml").write_text(f"[executors.ray]\n{options}\n")
    words = [*DEMO, "--workspace", folder / "ws", "--executor", "ray", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "sercore", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, **ray_cluster.ENVIRONMENT},
    )


@pytest.mark.slow
def test_a_node_that_is_lost_is_replaced_and_the_bytes_are_those_of_a_local_run(cluster, tmp_path):
    nodes, address = cluster
    local = subprocess.Popen(
        [sys.executable, "-m", "sercore", *DEMO, "--seeds", "3", "--workspace", tmp_path / "local"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end(local)
    process = start(tmp_path, "--seeds", "3", "--json", options=f'address = "{address}"')
    workspace = tmp_path / "ws"
    deadline = time.monotonic() + 120
    while not list(workspace.glob("features/*/parts/*.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)

    nodes.send_signal(signal.SIGUSR1)

    # The dump of the dead node must not reach standard output, which is one document.
    said = json.loads(end(process)[0])
    assert said["problems"] == []
    assert said["computed"] == {"extract": 3, "fit": 9, "predict": 27, "score": 27}
    assert stored(workspace) == stored(tmp_path / "local")


@pytest.mark.slow
def test_without_an_address_it_runs_on_this_machine(tmp_path):
    process = start(tmp_path, "--seeds", "1", "--json", options="workers = 2")

    said = json.loads(end(process)[0])

    assert said["cells"] == {"done": 9}
    assert list((tmp_path / "ws/runs/default/logs").glob("ray-*.log"))


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_one_sentence(tmp_path):
    silent = 'address = "127.0.0.1:9"\nconnect_timeout = 20'

    _, err = end(start(tmp_path, "--seeds", "1", options=silent), status=1)

    assert err.splitlines()[-1].startswith("sercore: Ray at 127.0.0.1:9 ")
    assert "[executors.ray] in sercore.toml" in err.splitlines()[-1]


def test_nothing_is_connected_where_nothing_is_to_be_done():
    executor = registry().executors.get("ray")

    class Context:
        options = executor_options(executor, {"address": "127.0.0.1:9"})

    assert list(executor.run(iter([]), Context())) == []
