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
from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import asdict
from dataclasses import dataclass
from platform import node
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import InUseError
from sercore.errors import SercoreError
from sercore.storage.processes import Process
from sercore.storage.processes import this_process

if TYPE_CHECKING:
    from sercore.storage.lease_files import LeaseFiles

FOLDER = ".leases"
"""The folder of a workspace that holds the leases, relative to the root."""

TIME_TO_LIVE = 60.0
"""Seconds after its last sign of life at which a lease is free."""

_BEATS_PER_LIFE = 4
_SHORTEST_POLL, _LONGEST_POLL = 0.05, 1.0


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
    what: str
    """The key in words, as messages call it; empty if it has none."""
    since: float
    """When the lease was taken, seconds since 1970 on the owner's clock."""
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

    @property
    def is_lost(self) -> bool:
        """Whether another process took the lease because the signs of life stopped for too long."""
        return not (self._stop.is_set() or self._thread.is_alive())

    def release(self) -> None:
        """Free the lease, unless another process took it because this one showed no life."""
        self._stop.set()
        self._thread.join()
        # A lease that cannot be removed is free when this process ends.
        with suppress(OSError):
            self._leases.drop(self._holder)

    def _beat(self) -> None:
        while not self._stop.wait(self._holder.time_to_live / _BEATS_PER_LIFE):
            # A full disk or a network that is away for a moment: the next beat tries again.
            with suppress(OSError):
                if not self._leases.renew(self._holder):
                    return


class Leases:
    """The leases of a workspace.

    Args:
        files: where they are kept.
        explain: returns the error that a failed write is to the user.
    """

    def __init__(self, files: LeaseFiles, explain: Callable[[OSError], SercoreError]) -> None:
        self._files = files
        self._explain = explain

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
        holder, is_mine = self._take(key, "", time_to_live)
        lease = Lease(self, holder) if holder is not None and is_mine else None
        try:
            yield lease
        finally:
            if lease is not None:
                lease.release()

    def holder(self, key: str) -> Holder | None:
        """Return who holds a lease now; None if it is free. Writes and locks nothing."""
        return self._current(_name(key)).holder

    def held(self) -> list[Holder]:
        """Return the holders of all leases that are not free, by key. Writes and locks nothing."""
        found = [self._current(name).holder for name in self._files.names()]
        return sorted((one for one in found if one is not None), key=lambda one: one.key)

    def sweep(self) -> int:
        """Remove the leases of killed owners and return their number."""
        removed = 0
        for name in self._files.names():
            with suppress(OSError):  # another user's in a shared folder
                lease = self._current(name)
                if lease.version is not None and lease.is_left:
                    removed += self._files.remove(name, lease.version)
        return removed

    def renew(self, holder: Holder) -> bool:
        """Write a sign of life; return False if the lease belongs to another owner by now."""
        found = self._files.read(_name(holder.key))
        if found is None or not _belongs(found[0], holder):
            return False
        return self._write(holder, found[1])

    def drop(self, holder: Holder) -> None:
        """Free a lease, unless it belongs to another owner by now."""
        found = self._files.read(_name(holder.key))
        if found is not None and _belongs(found[0], holder):
            self._files.remove(_name(holder.key), found[1])

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
            holder, is_mine = self._take(key, what, time_to_live)
            if holder is not None and is_mine:
                return Lease(self, holder)
            is_over = end is not None and time.monotonic() >= end
            if is_over or (holder is not None and holder.is_here()):
                raise InUseError(
                    f"{what} is being computed by {holder or 'another process'}",
                    hint="wait until it is finished, then run again",
                )
            if wait is not None and holder is not None:
                wait(f"{what} is being computed by {holder}, waiting")
                wait = None
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_POLL)

    def _take(self, key: str, what: str, time_to_live: float) -> tuple[Holder | None, bool]:
        """Return the holder of a lease, and whether this call made it the holder.

        None: another process was faster, and has released the lease by now.
        """
        found = self._current(_name(key))
        if found.holder is not None:
            return found.holder, False
        mine = Holder(
            key=key,
            token=secrets.token_hex(16),
            host=node(),
            **asdict(this_process()),
            thread=threading.get_ident(),
            what=what,
            since=time.time(),
            time_to_live=time_to_live,
            renewed=time.time(),
        )
        try:
            if self._write(mine, found.version):
                return mine, True
        except OSError as error:
            raise self._explain(error) from error
        return self.holder(key), False  # another process was faster

    def _current(self, name: str) -> _Found:
        """Return the state of a lease. One that cannot be read is free."""
        with suppress(OSError):
            found = self._files.read(name)
            if found is not None:
                holder = _holder(found[0])
                is_left = holder is not None and holder.is_gone()
                return _Found(None if is_left else holder, found[1], is_left=is_left)
        return _Found(None, None, is_left=False)

    def _write(self, holder: Holder, version: str | None) -> bool:
        return self._files.write(
            _name(holder.key), asdict(holder) | {"renewed": time.time()}, version
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """The state of a lease."""

    holder: Holder | None
    """Who holds it; None if it is free."""
    version: str | None
    """Of its file; None if it is missing."""
    is_left: bool
    """Whether its owner was killed."""


def _holder(content: Mapping[str, Any] | None) -> Holder | None:
    # A damaged lease, or one of another version of sercore, is free.
    with suppress(TypeError):
        return None if content is None else Holder(**content)
    return None


def _belongs(content: Mapping[str, Any] | None, holder: Holder) -> bool:
    return content is not None and content.get("token") == holder.token


def _name(key: str) -> str:
    # A key may be longer than a file name, and holds separators.
    return f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
