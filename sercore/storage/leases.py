"""Leases: who works on a key now, so that another process waits instead of doing it twice.

A lease is a small JSON file that names its owner and the time of the owner's last sign of life. A
thread of the owner renews it. A lease is free when the owner removed it, when the owner's process
ended on this machine, or when the sign of life is older than the lease's time to live.

A lease saves double work and nothing else. Results are written whole and under a key that holds all
they depend on, so two owners of one lease write the same bytes twice.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from platform import node
from typing import Any
from typing import Protocol

from sercore.errors import InUseError
from sercore.errors import WorkspaceError
from sercore.storage.processes import Process
from sercore.storage.processes import this_process

FOLDER = ".leases"
"""The folder of a workspace that holds the leases, relative to the root."""

TIME_TO_LIVE = 60.0
"""Seconds after its last sign of life at which a lease is free."""

_BEATS_PER_LIFE = 4
_SHORTEST_POLL, _LONGEST_POLL = 0.05, 1.0
_GUARD_SECONDS = 5.0


class Store(Protocol):
    """What leases need of a workspace."""

    is_local: bool

    def path(self, relative: str) -> str:
        """Return the absolute path or URL of a file."""

    def exists(self, relative: str) -> bool:
        """Return whether a file is there."""

    def list(self, folder: str) -> list[str]:
        """Return the names in a folder; empty if it is missing."""

    def read_json(self, relative: str) -> Any:
        """Return a JSON file's value; WorkspaceError if it is missing or damaged."""

    def write_json(self, relative: str, value: dict[str, Any]) -> None:
        """Write a JSON file whole."""

    def remove(self, relative: str) -> None:
        """Remove a file; nothing happens if it is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lease, as its file says."""

    key: str
    token: str
    """Random; differs between two leases of one process."""
    host: str
    machine: str
    pid: int
    started: str
    thread: int
    time_to_live: float
    """Seconds."""
    renewed: float
    """Time of the last sign of life, seconds since 1970 on the owner's clock."""

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    def is_gone(self) -> bool:
        """Return whether the lease is free although its file is there."""
        if Process(self.machine, self.pid, self.started).is_dead():
            return True
        # A clock that is set back must not make a lease last for ever.
        return abs(time.time() - self.renewed) > self.time_to_live

    def is_here(self) -> bool:
        """Return whether the calling thread holds the lease."""
        here = this_process()
        mine = (here.machine, here.pid, here.started, threading.get_ident())
        return mine == (self.machine, self.pid, self.started, self.thread)


class Lease:
    """A lease that this process holds.

    Args:
        leases: where the lease is kept.
        holder: what its file says.
    """

    def __init__(self, leases: Leases, holder: Holder) -> None:
        self._leases = leases
        self._holder = holder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {holder.key}", daemon=True)
        self._thread.start()

    @property
    def key(self) -> str:
        """What the lease is for."""
        return self._holder.key

    def release(self) -> None:
        """Free the lease, unless another process took it because this one showed no life."""
        self._stop.set()
        self._thread.join()
        # A lease that cannot be removed is free when this process ends.
        with suppress(OSError, WorkspaceError):
            self._leases.drop(self._holder)

    def _beat(self) -> None:
        while not self._stop.wait(self._holder.time_to_live / _BEATS_PER_LIFE):
            # A full disk or a network that is away for a moment: the next beat tries again.
            with suppress(OSError, WorkspaceError):
                if not self._leases.renew(self._holder):
                    return


class Leases:
    """The leases of a workspace.

    On this machine and on network file systems with locks, taking, renewing and dropping a lease
    are single steps: they run under a file lock that is held for a few milliseconds. Behind
    fsspec there is no such lock: two processes that start within one round trip can both take a
    lease, and one of them notices when it reads the lease again.

    Args:
        store: the workspace.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def hold(
        self,
        key: str,
        what: str,
        *,
        wait: Callable[[str], None] | None = None,
        timeout: float | None = None,
        time_to_live: float = TIME_TO_LIVE,
    ) -> Iterator[Lease]:
        """Hold a lease for the block, after waiting for the process that holds it.

        Look for the result again inside the block: the process that was waited for may have
        written it.

        Args:
            key: what the lease is for.
            what: the same in words, for messages: "the frames of emovo".
            wait: called once with a sentence if the lease is not free.
            timeout: seconds to wait at most; without end if None.
            time_to_live: seconds without a sign of life after which others may take the lease.

        Raises:
            InUseError: the time is over, or this thread holds the lease itself.
            WorkspaceError: the lease cannot be written.
        """
        lease = self._wait_for(key, what, wait, timeout, time_to_live)
        try:
            yield lease
        finally:
            lease.release()

    @contextmanager
    def try_hold(self, key: str, *, time_to_live: float = TIME_TO_LIVE) -> Iterator[Lease | None]:
        """Hold a lease for the block if it is free now; the block gets None if it is not.

        Raises:
            WorkspaceError: the lease cannot be written.
        """
        taken = self._take(key, time_to_live)
        lease = Lease(self, taken[0]) if taken[1] else None
        try:
            yield lease
        finally:
            if lease is not None:
                lease.release()

    def holder(self, key: str) -> Holder | None:
        """Return who holds a lease now; None if it is free. Writes and locks nothing."""
        holder = self._read(_relative(key))
        return None if holder is None or holder.is_gone() else holder

    def sweep(self) -> int:
        """Remove the leases of killed owners and return their number."""
        removed = 0
        for name in self._store.list(FOLDER):
            if name.endswith(".json") and self._is_left(name):
                with self._guard(), suppress(WorkspaceError):  # another user's in a shared folder
                    if self._is_left(name):  # nobody took it in between
                        self._store.remove(f"{FOLDER}/{name}")
                        removed += 1
        return removed

    def _is_left(self, name: str) -> bool:
        holder = self._read(f"{FOLDER}/{name}")
        return holder is not None and holder.is_gone()

    def renew(self, holder: Holder) -> bool:
        """Write a sign of life; return False if the lease belongs to another owner by now."""
        with self._guard():
            if not self._belongs_to(holder):
                return False
            self._write(holder)
            return True

    def drop(self, holder: Holder) -> None:
        """Free a lease, unless it belongs to another owner by now."""
        with self._guard():
            if self._belongs_to(holder):
                self._store.remove(_relative(holder.key))

    def _wait_for(
        self,
        key: str,
        what: str,
        wait: Callable[[str], None] | None,
        timeout: float | None,
        time_to_live: float,
    ) -> Lease:
        end = None if timeout is None else time.monotonic() + timeout
        pause = _SHORTEST_POLL
        while True:
            holder, is_mine = self._take(key, time_to_live)
            if is_mine:
                return Lease(self, holder)
            if holder.is_here() or (end is not None and time.monotonic() >= end):
                raise InUseError(
                    f"{what} is being computed by {holder}",
                    hint="wait until it is finished, then run again",
                )
            if wait is not None:
                wait(f"{what} is being computed by {holder}, waiting")
                wait = None
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_POLL)

    def _take(self, key: str, time_to_live: float) -> tuple[Holder, bool]:
        """Return the holder of a lease, and whether this call made it the holder."""
        found = self.holder(key)
        if found is not None:  # the usual case of a waiting process, without the lock
            return found, False
        process = this_process()
        mine = Holder(
            key=key,
            token=secrets.token_hex(16),
            host=node(),
            **asdict(process),
            thread=threading.get_ident(),
            time_to_live=time_to_live,
            renewed=time.time(),
        )
        with self._guard():
            found = self.holder(key)
            if found is not None:
                return found, False
            self._write(mine)
            found = self.holder(key) or mine
        return found, found.token == mine.token

    def _belongs_to(self, holder: Holder) -> bool:
        found = self._read(_relative(holder.key))
        return found is not None and found.token == holder.token

    def _read(self, relative: str) -> Holder | None:
        # A lease whose file is damaged or disappears while it is read is free.
        with suppress(WorkspaceError, TypeError):
            if self._store.exists(relative):
                return Holder(**self._store.read_json(relative))
        return None

    def _write(self, holder: Holder) -> None:
        record = asdict(holder) | {"renewed": time.time()}
        self._store.write_json(_relative(holder.key), record)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Make the block one step among the processes that share the folder of leases."""
        if not self._store.is_local:
            yield
            return
        from filelock import FileLock
        from filelock import Timeout

        lock = FileLock(self._store.path(f"{FOLDER}/guard"), timeout=_GUARD_SECONDS)
        is_held = False
        # Without the lock a lease is still right nearly always, and never needed to be: a file
        # system may have no locks, and a stopped process may hold this one.
        with suppress(Timeout, NotImplementedError, OSError):
            Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            is_held = True
        try:
            yield
        finally:
            if is_held:
                lock.release()


def _relative(key: str) -> str:
    # A key may be longer than a file name, and holds separators.
    return f"{FOLDER}/{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
