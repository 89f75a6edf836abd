"""Finding a checkpoint's folder, and saying what it is whatever folder it lies in.

Folders that the user named come first, then the cache of the Hugging Face hub, then the hub.
Nothing here imports torch.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sercore.backbones.huggingface.families import CONFIG
from sercore.backbones.huggingface.families import PREPROCESSOR
from sercore.backbones.interface import Checkpoint
from sercore.errors import BackboneError
from sercore.errors import BackboneUnavailableError
from sercore.errors import WorkspaceError
from sercore.storage.digests import digest_of
from sercore.storage.workspace import Workspace

SEARCH_PATH = "SERCORE_CHECKPOINTS"
"""Environment variable: folders that hold checkpoints, separated as in PATH."""

_SAFETENSORS = "model.safetensors"
_PICKLED = "pytorch_model.bin"
_INDEX = ".index.json"
_DIGESTS = "weight-digests.json"
_WORTH_CACHING = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A folder that holds a checkpoint."""

    folder: Path
    revision: str | None = None
    """Commit on the hub; None for a plain folder."""


def find(name: str, revision: str | None, *, offline: bool) -> Found:
    """Find a checkpoint by its name on the hub, downloading it only if it is nowhere here.

    Args:
        name: ``owner/name``.
        revision: pinned commit; None for the hub's newest.
        offline: never ask the network.

    Raises:
        BackboneUnavailableError: it is neither on this machine nor reachable.
    """
    for root in search_path():
        for folder in (root / name, root / name.rpartition("/")[2]):
            if (folder / CONFIG).is_file():
                return Found(folder)
    cached = _from_hub(name, revision, offline=True)
    if cached is not None:
        return cached
    if not offline and not _hub_is_offline():
        found = _from_hub(name, revision, offline=False)
        if found is not None:
            return found
    raise BackboneUnavailableError(
        f"the weights of {name} are not on this machine"
        + (" and the network may not be asked" if offline or _hub_is_offline() else ""),
        hint=f"fetch them with 'hf download {name}', or put the folder of the checkpoint below "
        f"a folder named in {SEARCH_PATH}",
    )


def search_path() -> list[Path]:
    """Return the folders of ``SERCORE_CHECKPOINTS``."""
    text = os.environ.get(SEARCH_PATH, "")
    return [Path(each).expanduser() for each in text.split(os.pathsep) if each]


def describe(name: str, found: Found) -> Checkpoint:
    """Return what identifies a checkpoint.

    Raises:
        BackboneError: a file of it is missing or cannot be read.
    """
    parts = [CONFIG, PREPROCESSOR, *weight_files(found.folder)]
    try:
        digests = _digests([found.folder / part for part in parts])
    except OSError as error:
        raise BackboneError(
            f"{error.filename} cannot be read: {error.strerror}",
            hint="copy the whole folder of the checkpoint",
        ) from error
    return Checkpoint(
        name=name,
        location=str(found.folder),
        revision=found.revision,
        digest=digest_of(list(zip(parts, digests, strict=True))),
    )


def weight_files(folder: Path) -> list[str]:
    """Return the names of the weight files that are loaded: safetensors where there are any.

    Raises:
        BackboneError: there are none, or one that the index names is missing.
    """
    for whole in (_SAFETENSORS, _PICKLED):
        if (folder / whole).is_file():
            return [whole]
        index = folder / f"{whole}{_INDEX}"
        if index.is_file():
            return [index.name, *_shards(index)]
    raise BackboneError(
        f"the checkpoint {folder} has no weights",
        hint=f"it needs {_SAFETENSORS} (or {_PICKLED})",
    )


def _shards(index: Path) -> list[str]:
    import json

    try:
        shards = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BackboneError(f"{index} cannot be read: {error}") from error
    for shard in shards:
        # Inside the folder only: an index comes from outside.
        if Path(shard).name != shard or not (index.parent / shard).is_file():
            raise BackboneError(
                f"{index} names the file {shard}, which is not there",
                hint="copy or download the checkpoint again",
            )
    return [str(shard) for shard in shards]


def _hub_is_offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _from_hub(name: str, revision: str | None, *, offline: bool) -> Found | None:
    """Return a snapshot that holds weights, or None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.errors import LocalEntryNotFoundError

    # Pickled weights are fetched only where there is nothing better.
    for weights in (_SAFETENSORS, _PICKLED):
        stem, suffix = weights.split(".")
        wanted = [CONFIG, PREPROCESSOR, f"{stem}*.{suffix}", f"{weights}{_INDEX}"]
        try:
            folder = Path(
                snapshot_download(
                    name, revision=revision, allow_patterns=wanted, local_files_only=offline
                )
            )
        except (LocalEntryNotFoundError, HFValidationError):
            return None
        except (HfHubHTTPError, OSError) as error:
            raise BackboneUnavailableError(
                f"{name} cannot be downloaded: {' '.join(str(error).split())}",
                hint=f"check the connection, or put the folder of the checkpoint below a folder "
                f"named in {SEARCH_PATH}",
            ) from error
        with suppress(BackboneError):
            weight_files(folder)
            return Found(folder, revision=folder.name)
    return None


def _digests(files: list[Path]) -> list[str]:
    """Return the SHA-256 of each file; those of large files are remembered between processes.

    Sizes and times only tell whether a remembered digest still holds; they enter no digest.
    """
    import hashlib

    import platformdirs

    cache = Workspace(platformdirs.user_cache_dir("sercore", appauthor=False))
    known: dict[str, list[object]] = {}
    if cache.exists(_DIGESTS):
        with suppress(WorkspaceError):
            known = dict(cache.read_json(_DIGESTS))
    digests = []
    learnt = False
    for file in files:
        facts = file.stat()
        mark = [facts.st_size, facts.st_mtime_ns]
        entry = known.get(str(file.resolve()))
        if isinstance(entry, list) and entry[:2] == mark and len(entry) == 3:
            digests.append(str(entry[2]))
            continue
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        digests.append(digest)
        if facts.st_size >= _WORTH_CACHING:
            known[str(file.resolve())] = [*mark, digest]
            learnt = True
    if learnt:
        # Without the cache the next start is only slower.
        with suppress(WorkspaceError):
            cache.write_json(_DIGESTS, known)
    return digests
