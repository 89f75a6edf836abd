"""The executor ``slurm`` on a real cluster of two virtual nodes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import slurm_cluster
from whole_runs import end
from whole_runs import stored

pytestmark = [pytest.mark.torch, pytest.mark.timeout(900)]

DEMO = ("run", "--all", "--demo", "--offline", "--threads", "1", "--probe", "fast")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    slurm_cluster.require()
    # The path of a socket may have 107 bytes.
    with slurm_cluster.SlurmCluster(tmp_path_factory.mktemp("slurm") / "s") as started:
        yield started


def start(cluster, folder, *more, options="workers = 2"):
    """Start a run on the cluster with a settings file."""
    folder.mkdir(exist_ok=True)
    (folder / "sercore.toml").write_text(f"[executors.slurm]\n{options}\nidle = 5\n")
    words = [*DEMO, "--workspace", folder / "ws", "--executor", "slurm", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "sercore", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=cluster.environment,
    )


def test_a_partition_that_does_not_exist_is_one_sentence(cluster, tmp_path):
    _, err = end(start(cluster, tmp_path, options='partition = "none"'), status=1)

    assert err.splitlines()[-1] == (
        "sercore: Slurm refuses the workers: Batch job submission failed: Invalid partition name "
        "specified; change [executors.slurm] in sercore.toml"
    )
    assert not list((tmp_path / "ws").glob("runs/default/queue/*"))


@pytest.mark.slow
def test_a_node_that_is_lost_is_replaced_and_the_bytes_are_those_of_a_local_run(cluster, tmp_path):
    local = subprocess.Popen(
        [sys.executable, "-m", "sercore", *DEMO, "--seeds", "3", "--workspace", tmp_path / "local"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end(local)
    process = start(cluster, tmp_path, "--seeds", "3", "--json")
    workspace = tmp_path / "ws"
    cluster.wait_for(lambda: list(workspace.glob("features/*/parts/*.json")), 90, "no frames")
    on_first = [job for job, state, node, _ in cluster.jobs() if node == "n1"]
    assert len(on_first) == 1

    cluster.kill_node("n1")

    def is_requeued():
        return any(job in on_first and state == "PENDING" for job, state, _, _ in cluster.jobs())

    try:
        cluster.wait_for(is_requeued, 60, "the worker of the lost node is not requeued")
        cluster.start_node("n1")
        cluster.call("scontrol", "update", f"JobId={on_first[0]}", "StartTime=now")
        said = json.loads(end(process)[0])
    finally:
        process.kill()
    assert said["problems"] == []
    assert said["computed"] == {"extract": 3, "fit": 9, "predict": 27, "score": 27}
    assert stored(workspace) == stored(tmp_path / "local")
    cluster.wait_for(lambda: cluster.jobs() == [], 30, "workers are left")


@pytest.mark.slow
def test_a_preempted_worker_continues_after_the_job_that_took_its_place(cluster, tmp_path):
    process = start(cluster, tmp_path, "--seeds", "1", "--json", options="workers = 1")
    workspace = tmp_path / "ws"
    cluster.wait_for(lambda: list(workspace.glob("features/*/parts/*.json")), 90, "no frames")
    ((worker, _, _, _),) = cluster.jobs()

    urgent = cluster.call(
        *("sbatch", "--parsable", "--partition=high", "--nodes=2", "--wrap=sleep 1"),
        cwd=tmp_path,
    ).strip()

    def is_requeued():
        return any(job == worker and state == "PENDING" for job, state, _, _ in cluster.jobs())

    try:
        cluster.wait_for(is_requeued, 60, "the worker was not preempted")
        cluster.wait_for(
            lambda: not any(job[0] == urgent for job in cluster.jobs()), 60, "the urgent job stays"
        )
        cluster.call("scontrol", "update", f"JobId={worker}", "StartTime=now")
        said = json.loads(end(process)[0])
    finally:
        process.kill()
    assert said["problems"] == []
    assert said["computed"]["fit"] == 3


@pytest.mark.slow
def test_the_log_of_a_failed_cell_is_named_with_its_reason(cluster, tmp_path):
    """Every worker refuses: its threads are limited."""
    limited = "workers = 1\ncpus = 1\nsetup = 'export OMP_THREAD_LIMIT=1'"
    process = start(cluster, tmp_path, "--seeds", "1", "--threads", "2", "--json", options=limited)

    said = json.loads(end(process, status=1)[0])

    assert said["cells"] == {"failed": 9}
    reason = said["scores"][0]["reason"]
    assert "this worker would compute with 1 thread and the run was planned with 2" in reason
    log = Path(reason.rpartition("; its log is ")[2])
    assert "failed extract logmel" in log.read_text()
    journal = sum("failed extract" in line for line in log.read_text().splitlines())
    assert journal == 2 * 3, "each of the three corpora is tried twice"


@pytest.mark.slow
def test_workers_that_never_start_end_the_run(cluster, tmp_path):
    broken = "workers = 1\nsetup = 'echo no module >&2; exit 1'"
    began = time.monotonic()

    _, err = end(start(cluster, tmp_path, "--seeds", "1", options=broken), status=1)

    assert "the workers ended 3 times in Slurm before they had done a task" in err
    assert (
        "no module"
        in Path(err.rpartition("in ")[2].strip())
        .joinpath(*[path.name for path in (tmp_path / "ws/runs/default/logs").iterdir()][:1])
        .read_text()
    )
    assert time.monotonic() - began < 200


@pytest.mark.slow
def test_a_driver_that_is_killed_and_started_again_continues(cluster, tmp_path):
    first = start(cluster, tmp_path, "--seeds", "1")
    workspace = tmp_path / "ws"
    cluster.wait_for(lambda: list(workspace.glob("probes/*/record.json")), 120, "no probe")
    first.kill()
    first.communicate()

    said = json.loads(end(start(cluster, tmp_path, "--seeds", "1", "--json"))[0])

    assert said["problems"] == []
    assert said["cells"] == {"done": 9}
    assert said["computed"].get("fit", 0) < 3
    # Idle workers of the first driver end by themselves.
    cluster.wait_for(lambda: cluster.jobs() == [], 60, "workers are left")
