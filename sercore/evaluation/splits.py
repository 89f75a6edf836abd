"""Which utterances train and which test, from the corpus and the split seed alone.

A permutation is the order of SHA-256 digests of (corpus, seed, utterance id). So a split does not
depend on the order of files, on a library's generator or its version, or on the backbone.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.corpora.manifest import Manifest

    Rows = npt.NDArray[np.int64]
    Labels = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Fold:
    """One division of a corpus.

    Args:
        index: its number within the split, from 0.
        train: int64 (n,), manifest rows that train, ascending.
        test: int64 (m,), manifest rows held out, ascending.
        kind: what both sides share nothing of: ``speaker``, ``text``, ``file``, ``official``.
    """

    index: int
    train: Rows
    test: Rows
    kind: str


def seed_of(*parts: object) -> int:
    """Return a 63-bit seed that depends on all the parts and nothing else."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def random_split(manifest: Manifest, labels: Labels, seed: int, n_folds: int) -> tuple[Fold, ...]:
    """Return one 80/20 division over files, ignoring speakers and texts.

    The first ``int(0.8 n)`` utterances of a seeded permutation train. Source: paper, section 3;
    the exact published indices depend on the backbone there and are not claimed.
    """
    del n_folds  # one division
    order = sorted(
        range(len(manifest)),
        key=lambda row: hashlib.sha256(
            f"{manifest.corpus}\0{seed}\0{manifest.utterance_ids[row]}".encode()
        ).digest(),
    )
    n_train = int(0.8 * len(order))
    return (_fold(0, order[:n_train], order[n_train:], labels, "file"),)


def speaker_disjoint(
    manifest: Manifest, labels: Labels, seed: int, n_folds: int
) -> tuple[Fold, ...]:
    """Return k folds with no speaker on both sides, stratified by class as far as possible.

    An utterance with several speakers ties them together: groups are connected components.
    A corpus with fewer speakers than folds has as many folds as speakers; a corpus with one
    speaker (or that identifies none) falls back to groups of the same text.

    Raises:
        ProtocolError: neither speakers nor texts can be told apart.
    """
    kind, groups = _groups(manifest)
    names = sorted(set(groups))
    # The splitter sees utterances in an order that ids alone decide.
    rank = {
        name: position
        for position, name in enumerate(
            sorted(
                names,
                key=lambda name: hashlib.sha256(
                    f"{manifest.corpus}\0{seed}\0{name}".encode()
                ).digest(),
            )
        )
    }
    from sklearn.model_selection import StratifiedGroupKFold

    rows = np.flatnonzero(labels >= 0)
    group_ids = np.array([rank[groups[row]] for row in rows])
    # A division needs a group a fold, and the splitter a class that can reach every fold.
    largest_class = int(np.bincount(labels[rows]).max(initial=0))
    n_splits = min(n_folds, len(np.unique(group_ids)), largest_class)
    if n_splits < 2:
        raise ProtocolError(
            f"{manifest.corpus} has too few {kind}s or utterances with a label, so no division "
            f"keeps {kind}s apart",
            hint="use the protocol 'standard' for it",
        )
    splitter = StratifiedGroupKFold(
        n_splits=n_splits, shuffle=True, random_state=seed_of(manifest.corpus, seed) % 2**32
    )
    with warnings.catch_warnings():
        # A class with fewer members than folds is no surprise here: lost classes are reported.
        warnings.filterwarnings("ignore", message="The least populated class")
        parts = list(splitter.split(rows, labels[rows], group_ids))
    return tuple(
        _fold(index, rows[train], rows[test], labels, kind)
        for index, (train, test) in enumerate(part for part in parts if len(part[1]))
    )


def official_split(manifest: Manifest, labels: Labels, seed: int, n_folds: int) -> tuple[Fold, ...]:
    """Return the division that the corpus's authors published: everything but ``test`` trains.

    Raises:
        ProtocolError: the corpus has none.
    """
    del seed, n_folds
    parts = manifest.column("official_split")
    test = [row for row, part in enumerate(parts) if part == "test"]
    train = [row for row, part in enumerate(parts) if part not in (None, "test")]
    if not test or not train:
        raise ProtocolError(
            f"{manifest.corpus} has no official split",
            hint="use the protocol 'standard' or 'speaker-disjoint' for it",
        )
    return (_fold(0, train, test, labels, "official"),)


Splitter = Callable[["Manifest", "Labels", int, int], tuple[Fold, ...]]

SPLITS: dict[str, Splitter] = {
    "random": random_split,
    "speaker-disjoint": speaker_disjoint,
    "official": official_split,
}


def count_shared(manifest: Manifest, column: str, fold: Fold) -> int | None:
    """Return how many speakers or texts occur on both sides of a fold; None where unknown."""
    values = manifest.column(column)
    if any(value is None for value in values):
        return None

    def named(rows: Rows) -> set[str]:
        found: set[str] = set()
        for row in rows:
            value = values[row]
            found.update(value if isinstance(value, list) else [value])
        return found

    return len(named(fold.train) & named(fold.test))


def _fold(
    index: int, train: Sequence[int] | Rows, test: Sequence[int] | Rows, labels: Labels, kind: str
) -> Fold:
    def usable(rows: Sequence[int] | Rows) -> Rows:
        chosen = np.sort(np.asarray(rows, dtype=np.int64))
        return chosen[labels[chosen] >= 0]

    return Fold(index, usable(train), usable(test), kind)


def _groups(manifest: Manifest) -> tuple[str, list[str]]:
    speakers = manifest.column("speaker")
    if all(speakers):
        groups = _components(speakers)
        if len(set(groups)) > 1:
            return "speaker", groups
    weaker = manifest.column("group")
    if all(each is not None for each in weaker) and len(set(weaker)) > 1:
        return manifest.column("group_kind")[0] or "group", weaker
    texts = manifest.column("text_id")
    if all(each is not None for each in texts) and len(set(texts)) > 1:
        return "text", texts
    raise ProtocolError(
        f"{manifest.corpus} tells apart neither speakers nor texts, so no division keeps them "
        "from both sides",
        hint="use the protocol 'standard' for it",
    )


def _components(speakers: Sequence[Sequence[str]]) -> list[str]:
    """Return for each utterance the first name of its connected component of speakers."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for names in speakers:
        first = root(names[0])
        for other in names[1:]:
            low, high = sorted((first, root(other)))
            parent[high] = low
            first = low
    return [root(names[0]) for names in speakers]
