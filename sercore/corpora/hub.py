"""Snapshots of dataset repositories of the Hugging Face Hub."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from posixpath import basename
from posixpath import splitext
from typing import TYPE_CHECKING

from sercore.corpora.problems import Problem
from sercore.errors import CorpusError
from sercore.errors import CorpusMissingError

if TYPE_CHECKING:
    from sercore.settings import CorpusSource

_SHARD = re.compile(r"(?P<split>.+)-(?P<number>\d{5})-of-(?P<of>\d{5})(-[0-9a-f]+)?")


def find_snapshot(
    source: CorpusSource, corpus: str, files: Iterable[str], *, offline: bool
) -> Path:
    """Return the folder of a snapshot in the cache of the Hub, downloaded first if it may be.

    Args:
        source: the repository and its revision.
        corpus: name of the corpus, for messages.
        files: glob patterns of the files to download; empty: all of them.
        offline: do not use the network.

    Raises:
        CorpusMissingError: it is not in the cache, and there is no network.
        CorpusError: the repository or revision does not exist, or is not public.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns = [shown for name in files for shown in (name, f"*/{name}")]
    try:
        return Path(
            snapshot_download(
                source.place,
                repo_type="dataset",
                revision=source.revision,
                allow_patterns=patterns or None,
                local_files_only=offline,
            )
        )
    except LocalEntryNotFoundError:
        hint = "download it with 'sercore run --download'" if offline else "check the connection"
        raise CorpusMissingError(
            f"{source} is not in the cache of the Hugging Face Hub"
            + ("" if offline else " and cannot be downloaded"),
            hint=f"{hint}, or name a snapshot on this disk as {corpus}=hf:DIR",
        ) from None
    except (HFValidationError, HfHubHTTPError, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise CorpusError(
            f"{source} cannot be downloaded: {reason}",
            hint="check the names of the dataset and of its revision, and the connection",
        ) from error


def split_of(path: str) -> str | None:
    """Return the split that the name of a file states (``data/train-00000-of-00002.parquet``)."""
    found = _SHARD.fullmatch(splitext(basename(path))[0])
    return found["split"] if found else None


def missing_shards(paths: Iterable[str]) -> Iterator[Problem]:
    """Yield a problem for every set of numbered files that is not complete."""
    present: dict[tuple[str, int], set[str]] = defaultdict(set)
    for path in paths:
        found = _SHARD.fullmatch(splitext(path)[0])
        if found:
            present[found["split"], int(found["of"])].add(found["number"])
    for (stem, of), numbers in present.items():
        if len(numbers) < of:
            yield Problem(
                kind="missing-file",
                where=stem,
                message=f"only {len(numbers)} of its {of} files exist",
                hint="download the snapshot again",
            )
