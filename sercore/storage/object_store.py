"""The connection to an object store: where it is, how long it is retried, and what went wrong.

Credentials and endpoints come from the environment that each store documents, such as
``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION`` and ``AWS_ENDPOINT_URL``.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING
from typing import TypeVar

from sercore.errors import SettingsError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")

SCHEMES = ("s3", "gs", "az", "memory")
"""What the URL of a workspace may begin with. ``memory`` lasts as long as the process."""

PATIENCE_VARIABLE = "SERCORE_STORE_PATIENCE"
"""Environment variable: seconds for which a request is repeated while the store fails."""

_PATIENCE = 180.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_MOST_RETRIES = 10_000  # the time ends the retries, not their number
_REQUEST_SECONDS = 120
_CONNECT_SECONDS = 10

_METADATA_SERVICE = "169.254.169.254"
"""Where a machine of a cloud asks for its own credentials."""

_STATUS = re.compile(r"status code: (\d{3}[^:\n]*)")
_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)
_PLACE = re.compile(r"Error performing [A-Z]+ \S+ in [^-]*- ")


def patience() -> float:
    """Return the seconds for which a request is repeated while the store fails.

    Raises:
        SettingsError: the environment variable holds no positive number.
    """
    text = os.environ.get(PATIENCE_VARIABLE)
    if text is None:
        return _PATIENCE
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:  # NaN fails, too
        raise SettingsError(
            f"{PATIENCE_VARIABLE} is '{text}'", hint="write a number of seconds, such as 180"
        )
    return seconds


def check_url(root: str) -> None:
    """Raise SettingsError if a URL names no store that can hold a workspace."""
    scheme, _, place = root.partition("://")
    if scheme not in SCHEMES or not place.strip("/"):
        raise SettingsError(
            f"'{root}' cannot hold a workspace",
            hint="name a folder, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or "
            "az://ACCOUNT/CONTAINER/FOLDER",
        )


@cache
def open_store(root: str) -> ObjectStore:
    """Return the store behind a URL; all workspaces of this process share one connection.

    Args:
        root: such as ``s3://bucket/prefix``.

    Raises:
        SettingsError: the URL names no supported store.
    """
    from obstore.exceptions import BaseError
    from obstore.store import MemoryStore
    from obstore.store import from_url

    if root.startswith("memory:"):
        return MemoryStore()
    try:
        return from_url(
            root,
            client_options={
                "allow_http": _endpoint_is_plain(),
                "timeout": timedelta(seconds=_REQUEST_SECONDS),
                "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
            },
            retry_config={
                "max_retries": _MOST_RETRIES if patience() else 0,
                "retry_timeout": timedelta(seconds=patience()),
                "backoff": {"max_backoff": timedelta(seconds=_LONGEST_PAUSE)},
            },
        )
    except (BaseError, ValueError) as error:
        raise SettingsError(f"'{root}' cannot hold a workspace: {reason(error)}") from error


class StoreError(OSError):
    """The store does not answer, or refuses what is asked of it.

    Args:
        text: what is wrong.
        hint: what to do about it.
        passes: whether the same request may succeed later.
    """

    def __init__(self, text: str, hint: str, *, passes: bool = True) -> None:
        super().__init__(errno.EIO, text)
        self.hint = hint
        self.passes = passes


def call(request: Callable[[], T]) -> T:
    """Make a request, and repeat it while the store fails.

    obstore repeats requests that are refused. This function also repeats those whose answer breaks
    off in the middle.

    Raises:
        FileNotFoundError: what is asked for does not exist.
        StoreError: the store still fails when the patience is over, or refuses.
        AlreadyExistsError, PreconditionError: of obstore; the condition of the request failed.
    """
    end, pause = time.monotonic() + patience(), _SHORTEST_PAUSE
    while True:
        try:
            with _as_os_errors():
                return request()
        except StoreError as error:
            if not error.passes or time.monotonic() >= end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Raise an error of the store as an OSError, except conditions that failed."""
    from obstore.exceptions import AlreadyExistsError
    from obstore.exceptions import BaseError
    from obstore.exceptions import PreconditionError

    try:
        yield
    except (AlreadyExistsError, PreconditionError):
        raise
    except (BaseError, FileNotFoundError) as error:
        text = str(error)
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in text:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
        kind, hint = _kind(text)
        raise StoreError(f"{kind} ({reason(error)})", hint, passes=_passes(text)) from error


def reason(error: Exception) -> str:
    """Return the core of an error of a store, in one line."""
    text = str(error).partition("\n\nDebug source")[0]
    status, message = _STATUS.search(text), _MESSAGE.search(text)
    if status is not None:
        return f"{status[1].strip()}: {message[1].strip()}" if message else status[1].strip()
    return " ".join(_PLACE.sub("", text.splitlines()[0]).split())


def _kind(text: str) -> tuple[str, str]:
    """Return what an error of a store is about, and what to do."""
    if _METADATA_SERVICE in text:
        return (
            "no credentials were found",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a machine that has a role",
        )
    if "NoSuchBucket" in text:
        return "the store has no such bucket", "create the bucket first"
    status = _STATUS.search(text)
    if status is not None and status[1].startswith(("401", "403")):
        return "access is denied", "check the credentials in the environment, and the bucket"
    return "the store does not answer", "run again when the store answers: what is done is kept"


def _passes(text: str) -> bool:
    """Return whether an error of a store may be over when the request is repeated."""
    if _METADATA_SERVICE in text:
        return False
    status = _STATUS.search(text)
    return status is None or status[1][0] == "5" or status[1].startswith(("408", "429"))


def _endpoint_is_plain() -> bool:
    """Return whether an endpoint of the environment is reached without TLS."""
    names = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT")
    return any(os.environ.get(name, "").startswith("http://") for name in names)
