"""A real Slurm on this machine: a controller and virtual nodes, without systemd or a database.

Needs root and ``apt-get install --no-install-recommends slurmctld slurmd slurm-client munge``.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")

CONFIGURATION = """\
ClusterName=sercore
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPort={port}
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdTimeout=6
SlurmctldTimeout=10
MessageTimeout=5
KillWait=5
MinJobAge=600
JobRequeue=1
SlurmdParameters=config_overrides
NodeName=DEFAULT CPUs=1 RealMemory=4000 State=UNKNOWN
{nodes}
PartitionName=low Nodes=ALL PriorityTier=1 Default=YES PreemptMode=REQUEUE GraceTime=0
PartitionName=high Nodes=ALL PriorityTier=9
"""


def require():
    """Skip the test where Slurm cannot run."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        pytest.skip(f"SLURM IS NOT INSTALLED ({', '.join(missing)}): see tests/slurm_cluster.py")
    if os.geteuid() != 0:
        pytest.skip("SLURM CANNOT BE STARTED: its daemons need root here")


class SlurmCluster:
    """Start a cluster with the nodes n1, n2, ...; a context manager that stops it.

    Args:
        folder: for everything that it writes.
        nodes: how many.
    """

    def __init__(self, folder, nodes=2):
        self.folder = Path(folder)
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": os.pathsep.join((os.environ["PATH"], "/usr/sbin")),
        }

    def __enter__(self):
        for name in ("state", "log", "run", "munge"):
            (self.folder / name).mkdir(parents=True)
        for node in self.nodes:
            (self.folder / "spool" / node).mkdir(parents=True)
        self._write_configuration()
        self._start_munge()
        self.call("slurmctld", "-c")
        for node in self.nodes:
            self.start_node(node)
        self.wait_for(lambda: self._idle() == len(self.nodes), 30, "the nodes are not idle")
        return self

    def __exit__(self, *_):
        self.call("scancel", "--user=root", check=False)
        self.wait_for(lambda: self.jobs() == [], 30, "jobs are left")
        pids = [int(path.read_text()) for path in self.folder.glob("*/*.pid")]
        for pid in pids:
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in pids:
            _signal(pid, signal.SIGKILL)

    def call(self, *command, check=True, **options):
        """Run a command of Slurm and return its output."""
        answer = subprocess.run(
            [str(word) for word in command],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **options,
        )
        assert not check or answer.returncode == 0, (command, answer.stdout, answer.stderr)
        return answer.stdout

    def start_node(self, node):
        """Start the daemon of a node."""
        self.call("slurmd", "-c", "-N", node)

    def kill_node(self, node):
        """Kill the daemon of a node and all that it runs, as a power cut does."""
        victims = [int((self.folder / f"run/slurmd.{node}.pid").read_text())]
        for pid in self._jobs_on(node):
            victims += [pid, _parent(pid)]
        for pid in victims:
            _signal(pid, signal.SIGKILL)
        (self.folder / f"run/slurmd.{node}.pid").unlink()

    def jobs(self):
        """Return (job, state, node, reason) of all array elements that have not ended."""
        lines = self.call("squeue", "-h", "--array", "-o", "%i|%T|%N|%r").splitlines()
        return [tuple(line.split("|")) for line in lines]

    def wait_for(self, condition, seconds, what):
        """Wait until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            logs = "".join(path.read_text()[-1500:] for path in self.folder.glob("log/*"))
            assert time.monotonic() < deadline, (what, logs)
            time.sleep(0.1)

    def _jobs_on(self, node):
        """Return the processes of jobs of this cluster on a node."""
        mine = {f"SLURMD_NODENAME={node}", f"SLURM_CONF={self.environment['SLURM_CONF']}"}
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                variables = (place / "environ").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if mine <= set(variables):
                found.append(int(place.name))
        return found

    def _idle(self):
        states = self.call("sinfo", "-h", "-N", "-p", "low", "-o", "%t", check=False).split()
        return states.count("idle")

    def _write_configuration(self):
        host = socket.gethostname().partition(".")[0]
        port = _free_ports(len(self.nodes) + 1)
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port + number}"
            for number, node in enumerate(self.nodes, 1)
        )
        text = CONFIGURATION.format(host=host, folder=self.folder, port=port, nodes=nodes)
        (self.folder / "slurm.conf").write_text(text)

    def _start_munge(self):
        place = self.folder / "munge"
        key = place / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {"key-file": key, "pid-file": place / "munged.pid", "socket": place / "socket"}
        files |= {"log-file": place / "munged.log", "seed-file": place / "seed"}
        self.call("munged", "--force", *(f"--{name}={path}" for name, path in files.items()))


def _signal(pid, number):
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _free_ports(n):
    """Return the first of some adjacent ports that are free."""
    for _ in range(100):
        first = random.randrange(20_000, 30_000)
        taken = []
        try:
            for number in range(n):
                taken.append(socket.socket())
                taken[-1].bind(("127.0.0.1", first + number))
        except OSError:
            continue
        finally:
            for found in taken:
                found.close()
        return first
    pytest.skip("SLURM CANNOT BE STARTED: no ports are free")
