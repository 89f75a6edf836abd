"""The pages about clusters, followed word by word."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import ray_cluster
import slurm_cluster

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(1200)]

DOCS = Path(__file__).resolve().parent.parent / "docs"


def blocks(page, heading=None):
    """Return (kind, text) of the code blocks of a page, or of one section of it."""
    text = (DOCS / page).read_text()
    if heading is not None:
        text = re.split(r"^#+ ", text.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(found):
    """Return what is typed in console blocks."""
    lines = [line for kind, text in found if kind == "console" for line in text.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def written(found, kind):
    (text,) = [text for name, text in found if name == kind]
    return text


@pytest.fixture
def shell(tmp_path):
    """Return a function that runs a command line in an empty folder."""
    variables = {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "SERCORE_RUN_PROBES": "fast",  # the pages do not say that a reader should wait
    }

    def call(command, **more):
        answer = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env={**variables, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        assert answer.returncode == 0, (command, answer.stdout, answer.stderr)
        return answer.stdout

    return call


def assert_collected(shell):
    """Everything is done, and nothing is left to compute."""
    said = json.loads(shell("sercore run --all --demo --workspace results --threads 1 --json"))
    assert said["cells"] == {"done": 9}
    assert said["computed"] == {}


@pytest.fixture
def slurm(tmp_path_factory):
    slurm_cluster.require()
    with slurm_cluster.SlurmCluster(tmp_path_factory.mktemp("slurm") / "s") as started:
        yield {name: started.environment[name] for name in ("SLURM_CONF",)}


def test_slurm(shell, slurm, tmp_path):
    found = blocks("cluster-slurm.md")
    (tmp_path / "sercore.toml").write_text(written(found, "toml"))

    for command in commands(found):
        shell(command, **slurm)

    assert_collected(shell)
    assert list((tmp_path / "results/runs/default/logs").glob("slurm-*.log"))


def test_ray(shell, tmp_path):
    pytest.importorskip("ray", reason="RAY IS NOT INSTALLED: pip install ray")
    found = blocks("cluster-ray.md")
    (tmp_path / "sercore.toml").write_text(written(found, "toml"))
    with ray_cluster.running(tmp_path / "cluster", 2) as (_, address):
        variables = {**ray_cluster.ENVIRONMENT, "RAY_ADDRESS": address}
        for command in commands(found):
            shell(command, **variables)

    assert_collected(shell)


def test_shares_with_a_shell(shell):
    for command in commands(blocks("own-scheduler.md", "Shares")):
        shell(command)

    assert_collected(shell)


def test_shares_as_an_array_job(shell, slurm, tmp_path):
    found = blocks("own-scheduler.md", "An array job")
    (tmp_path / "shards.sh").write_text(written(found, "bash"))

    for command in commands(found):
        shell(command, **slurm)

    assert_collected(shell)


def test_shares_with_snakemake(shell, tmp_path):
    if shutil.which("snakemake") is None:
        pytest.skip("SNAKEMAKE IS NOT INSTALLED: put it on PATH")
    found = blocks("own-scheduler.md", "Snakemake")
    (tmp_path / "Snakefile").write_text(written(found, "snakemake"))

    for command in commands(found):
        shell(command)

    assert_collected(shell)


def test_tasks(shell, tmp_path):
    found = blocks("own-scheduler.md", "Tasks")
    (tmp_path / "work.sh").write_text(written(found, "bash"))

    for command in commands(found):
        shell(command)

    assert (tmp_path / "tasks").read_text() == ""
    assert_collected(shell)
