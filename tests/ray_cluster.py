"""A Ray head and nodes of one processor on the loopback, in a process of their own.

    python tests/ray_cluster.py FILE NODES

FILE gets the address when all nodes are up. SIGUSR1 kills one node; SIGTERM ends all. ``ray stop``
is never used: it ends every Ray of the machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ENVIRONMENT = {
    # Without it, Ray turns 127.0.0.1 into the address of a network card and waits for ever.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
SMALL = {"object_store_memory": 80 * 2**20}


def main(file, n_nodes):
    os.environ.update(ENVIRONMENT)
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, **SMALL}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1, **SMALL) for _ in range(n_nodes)]
    cluster.wait_for_nodes()
    signals = {signal.SIGTERM, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    partial = Path(f"{file}.partial")
    partial.write_text(cluster.address)
    partial.rename(file)
    while signal.sigwait(signals) == signal.SIGUSR1:
        cluster.remove_node(nodes.pop(), allow_graceful=False)
    cluster.shutdown()


@contextmanager
def running(folder, n_nodes):
    """Run a cluster for the block, which gets its process and its address."""
    folder.mkdir()
    file = folder / "address"
    with (folder / "log").open("wb") as log:
        command = [sys.executable, __file__, str(file), str(n_nodes)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 180
        while not file.exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield process, file.read_text()
    finally:
        process.terminate()
        process.wait(timeout=60)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
