"""Find the folder of a checkpoint, and identify its weights by their content.

Folders that the user named are searched first, then the cache of the Hugging Face hub, then the
hub. This module does not import torch.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sercore.backbones.huggingface.families import CONFIG
from sercore.backbones.huggingface.families import PREPROCESSOR
from sercore.backbones.huggingface.families import read_config
from sercore.backbones.interface import Checkpoint
from sercore.errors import BackboneError
from sercore.errors import BackboneUnavailableError
from sercore.errors import WorkspaceError
from sercore.storage.digests import digest_of
from sercore.storage.workspace import Workspace

SEARCH_PATH = "SERCORE_CHECKPOINTS"
"""Environment variable with folders that hold checkpoints, separated as in PATH."""

_SAFETENSORS = "model.safetensors"
_PICKLED = "pytorch_model.bin"
_INDEX = ".index.json"
_DIGESTS = "weight-digests.json"
_REMEMBER_FROM = 1 << 20
"""Bytes of a file from which on its digest is remembered."""

_VOLATILE = frozenset(
    {
        "_commit_hash",
        "_name_or_path",
        "architectures",
        "dtype",
        "processor_class",
        "torch_dtype",
        "transformers_version",
    }
)
"""Settings of a configuration that change no frame: they say who wrote it, with which library, and
what other classes and precisions the weights were saved for. Weights are loaded as float32 by the
class that ``model_type`` names."""


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """A folder that holds a checkpoint."""

    folder: Path
    revision: str | None = None
    """Commit on the hub; None for a plain folder."""


def find_checkpoint(name: str, revision: str | None, *, offline: bool) -> CheckpointFolder:
    """Find a checkpoint by its name on the hub; download it only if it is not on this machine.

    Args:
        name: ``owner/name``.
        revision: pinned commit; None for the newest on the hub.
        offline: never ask the network.

    Raises:
        BackboneUnavailableError: it is not on this machine and cannot be downloaded.
    """
    for root in search_path():
        for folder in (root / name, root / name.rpartition("/")[2]):
            if (folder / CONFIG).is_file():
                return CheckpointFolder(folder)
    cached = _from_hub(name, revision, offline=True)
    if cached is not None:
        return cached
    if not offline and not _hub_is_offline():
        found = _from_hub(name, revision, offline=False)
        if found is not None:
            return found
    raise BackboneUnavailableError(
        f"the weights of {name} are not on this machine",
        hint=f"download them with 'sercore run --download' or 'hf download {name}', or put the "
        f"folder of the checkpoint into a folder that {SEARCH_PATH} names",
    )


def search_path() -> list[Path]:
    """Return the folders of ``SERCORE_CHECKPOINTS``."""
    text = os.environ.get(SEARCH_PATH, "")
    return [Path(folder).expanduser() for folder in text.split(os.pathsep) if folder]


def identify_checkpoint(name: str, found: CheckpointFolder) -> Checkpoint:
    """Return the identity of a checkpoint: its name, folder, commit and digest.

    The digest covers the weight files, and what the configurations say apart from `_VOLATILE`.

    Raises:
        BackboneError: one of its files is missing or cannot be read.
    """
    settings = [
        (part, digest_of(_without_volatile(read_config(found.folder, part))))
        for part in (CONFIG, PREPROCESSOR)
    ]
    weights = weight_files(found.folder)
    try:
        digests = _digests([found.folder / part for part in weights])
    except OSError as error:
        raise BackboneError(
            f"{error.filename} cannot be read: {error.strerror}",
            hint="copy the whole folder of the checkpoint",
        ) from error
    return Checkpoint(
        name=name,
        location=str(found.folder),
        revision=found.revision,
        digest=digest_of([*settings, *zip(weights, digests, strict=True)]),
    )


def _without_volatile(value: Any) -> Any:
    """Return a configuration without its volatile settings, those of its parts included."""
    if isinstance(value, dict):
        return {
            name: _without_volatile(inner) for name, inner in value.items() if name not in _VOLATILE
        }
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return [_without_volatile(inner) for inner in value] if isinstance(value, list) else value


def weight_files(folder: Path) -> list[str]:
    """Return the names of the weight files to load; safetensors are preferred.

    Raises:
        BackboneError: there is no weight file, or a file that the index names is missing.
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
        # An index is foreign input; it may name files of its own folder only.
        if Path(shard).name != shard or not (index.parent / shard).is_file():
            raise BackboneError(
                f"{index} names the file {shard}, which does not exist",
                hint="copy or download the checkpoint again",
            )
    return [str(shard) for shard in shards]


def _hub_is_offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _from_hub(name: str, revision: str | None, *, offline: bool) -> CheckpointFolder | None:
    """Return a snapshot with weights, or None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.errors import LocalEntryNotFoundError

    # Download pickled weights only if there are no safetensors.
    for weights in (_SAFETENSORS, _PICKLED):
        stem, suffix = weights.split(".")
        wanted = [CONFIG, PREPROCESSOR, f"{stem}*.{suffix}", f"{weights}{_INDEX}"]
        try:
            folder = Path(
                snapshot_download(
                    name, revision=revision, allow_patterns=wanted, local_files_only=offline
                )
            )
        except HFValidationError:
            return None
        except LocalEntryNotFoundError as error:
            if offline:
                return None
            raise _unreachable(name, error) from error
        except (HfHubHTTPError, OSError) as error:
            raise _unreachable(name, error) from error
        with suppress(BackboneError):
            weight_files(folder)
            return CheckpointFolder(folder, revision=folder.name)
    return None


def _unreachable(name: str, error: Exception) -> BackboneUnavailableError:
    reason = " ".join(str(error).split()).partition(". ")[0]
    return BackboneUnavailableError(
        f"{name} cannot be downloaded: {reason}",
        hint="check the connection, or put the folder of the checkpoint into a folder that "
        f"{SEARCH_PATH} names",
    )


def _digests(files: list[Path]) -> list[str]:
    """Return the SHA-256 of every file; digests of large files are remembered between processes.

    A remembered digest is used while the size and the modification time of the file stay the same.
    Neither is part of a digest.
    """
    import hashlib

    import platformdirs

    cache = Workspace(platformdirs.user_cache_dir("sercore", appauthor=False))
    known: dict[str, list[object]] = {}
    if cache.exists(_DIGESTS):
        with suppress(WorkspaceError):
            known = dict(cache.read_json(_DIGESTS))
    digests = []
    has_new = False
    for file in files:
        facts = file.stat()
        mark = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
        entry = known.get(str(file.resolve()))
        if isinstance(entry, list) and entry[:3] == mark and len(entry) == 4:
            digests.append(str(entry[3]))
            continue
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        digests.append(digest)
        if facts.st_size >= _REMEMBER_FROM:
            known[str(file.resolve())] = [*mark, digest]
            has_new = True
    if has_new:
        # If the cache cannot be written, the next start is slower, and nothing else.
        with suppress(WorkspaceError):
            cache.write_json(_DIGESTS, known)
    return digests
