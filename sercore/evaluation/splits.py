"""Splits: which utterances train and which test.

Only the corpus and the split seed decide. A permutation is the order of the SHA-256 digests of
(corpus, seed, utterance id). So a split does not depend on the order of files, on the random
generator of a library or its version, or on the backbone.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError
from sercore.evaluation.protocols import SplitScheme

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.corpora.manifest import Manifest
    from sercore.evaluation.published_folds import PublishedFolds

    Rows = npt.NDArray[np.int64]
    Labels = npt.NDArray[np.int8]


_SHOWN = 5
"""Speakers or utterances that a message names."""


@dataclass(frozen=True)
class Fold:
    """One division of a corpus into a train and a test part.

    Args:
        index: its number within the split, from 0.
        train: int64 (n,), manifest rows that train, ascending.
        test: int64 (m,), manifest rows held out, ascending.
        kind: what decides the sides: ``speaker`` or ``text`` (none is on both), ``file``,
            ``official``, or the unit of published folds.
    """

    index: int
    train: Rows
    test: Rows
    kind: str


def seed_of(*parts: object) -> int:
    """Return a 63-bit seed that depends on these parts alone."""
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
    A corpus with fewer speakers than folds has as many folds as speakers. A corpus with one
    speaker, or without speaker names, is divided by text instead.

    Raises:
        ProtocolError: the corpus names neither speakers nor texts, or too few of them.
    """
    kind, groups = _groups(manifest)
    names = sorted(set(groups))
    # Groups are numbered in an order that only their names and the seed decide.
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
    # Every fold needs a group, and the splitter needs a class that can reach every fold.
    largest_class = int(np.bincount(labels[rows]).max(initial=0))
    n_splits = min(n_folds, len(np.unique(group_ids)), largest_class)
    if n_splits < 2:
        raise ProtocolError(
            f"{manifest.corpus} has too few {kind}s or labelled utterances for a split without "
            f"shared {kind}s",
            hint="use the protocol 'standard' for it",
        )
    splitter = StratifiedGroupKFold(
        n_splits=n_splits, shuffle=True, random_state=seed_of(manifest.corpus, seed) % 2**32
    )
    with warnings.catch_warnings():
        # Classes with fewer members than folds are expected here.
        warnings.filterwarnings("ignore", message="The least populated class")
        parts = list(splitter.split(rows, labels[rows], group_ids))
    return tuple(
        _fold(index, rows[train], rows[test], labels, kind)
        for index, (train, test) in enumerate(part for part in parts if len(part[1]))
    )


def random_kfold(manifest: Manifest, labels: Labels, seed: int, n_folds: int) -> tuple[Fold, ...]:
    """Return k folds over labelled utterances, stratified by class, ignoring speakers and texts.

    k is the number of folds that `speaker_disjoint` has for the same seed, so that the two differ
    in the division alone: their difference is the leak gap. Each labelled utterance is tested once.

    Raises:
        ProtocolError: there are fewer than two labelled utterances.
    """
    rows = np.flatnonzero(labels >= 0)
    try:
        n_folds = len(speaker_disjoint(manifest, labels, seed, n_folds))
    except ProtocolError:
        n_folds = min(n_folds, len(rows))
    if n_folds < 2:
        raise ProtocolError(
            f"{manifest.corpus} has too few labelled utterances for several folds",
            hint="use the protocol 'standard' for it",
        )
    # Utterances are dealt in turn, class by class: so all folds have nearly the same classes.
    order = sorted(
        rows.tolist(),
        key=lambda row: (
            int(labels[row]),
            hashlib.sha256(
                f"{manifest.corpus}\0{seed}\0{manifest.utterance_ids[row]}".encode()
            ).digest(),
        ),
    )
    fold_of = np.full(len(labels), -1)
    fold_of[order] = np.arange(len(order)) % n_folds
    return tuple(
        _fold(
            index,
            rows[fold_of[rows] != index],
            rows[fold_of[rows] == index],
            labels,
            "file",
        )
        for index in range(n_folds)
    )


def probe_seed_split(split: str) -> str:
    """Return the split whose name enters the seeds of probes.

    Random and speaker-disjoint folds start their probes alike, so that their difference is not
    one of initial weights.
    """
    return SplitScheme.SPEAKER_DISJOINT if split == SplitScheme.RANDOM_KFOLD else split


def official_split(manifest: Manifest, labels: Labels, seed: int, n_folds: int) -> tuple[Fold, ...]:
    """Return the split that the authors of the corpus published.

    ``test`` is tested. Parts whose name begins so (``test2``) do neither; all others train.

    Raises:
        ProtocolError: the corpus has no official split.
    """
    del seed, n_folds
    parts = manifest.column("official_split")
    test = [row for row, part in enumerate(parts) if part == "test"]
    train = [row for row, part in enumerate(parts) if not (part or "test").startswith("test")]
    if not test or not train:
        raise ProtocolError(
            f"{manifest.corpus} has no official split",
            hint="use the protocol 'standard' or 'speaker-disjoint' for it",
        )
    return (_fold(0, train, test, labels, "official"),)


def published_split(
    manifest: Manifest, labels: Labels, published: PublishedFolds
) -> tuple[Fold, ...]:
    """Return the folds that someone published for the corpus.

    Raises:
        ProtocolError: the folds are not offered, one of them has no train or test part in this
            copy, they test something twice, or the copy has a unit that they do not name.
    """
    if published.refused is not None:
        raise ProtocolError(
            f"the folds '{published.name}' of {manifest.corpus} are not used: {published.refused}",
            hint="use the protocol 'speaker-disjoint' for it",
        )
    units = _listed_units(manifest, published)
    _require_known(manifest, published, units)
    folds = []
    for index, tested in enumerate(published.test):
        chosen = set(tested)
        test = [row for row, unit in enumerate(units) if unit in chosen]
        train = [row for row, unit in enumerate(units) if unit not in chosen]
        fold = _fold(index, train, test, labels, published.unit)
        if not len(fold.train) or not len(fold.test):
            raise ProtocolError(
                f"fold {index + 1} of '{published.name}' tests "
                f"{_named(tested, published.unit)}, and this copy of {manifest.corpus} leaves its "
                f"{'train' if len(fold.test) else 'test'} part empty",
                hint="complete the copy of the corpus",
            )
        folds.append(fold)
    return tuple(folds)


def missing_units(manifest: Manifest, published: PublishedFolds) -> tuple[str, ...]:
    """Return what published folds name and the corpus on disk lacks, sorted."""
    here = set(_listed_units(manifest, published))
    return tuple(
        sorted({unit for fold in (*published.test, published.train) for unit in fold} - here)
    )


def shared_names(manifest: Manifest, folds: Sequence[Fold]) -> tuple[str, ...] | None:
    """Return the speakers on both sides of any fold, sorted; None if some are not known."""
    speakers = manifest.column("speaker")
    if not all(speakers):
        return None
    found: set[str] = set()
    for fold in folds:
        train, test = (
            {name for row in rows.tolist() for name in speakers[row]}
            for rows in (fold.train, fold.test)
        )
        found |= train & test
    return tuple(sorted(found))


def _listed_units(manifest: Manifest, published: PublishedFolds) -> list[str]:
    """Return the unit of every utterance that published folds divide by.

    Raises:
        ProtocolError: the corpus does not state it.
    """
    values = manifest.column(published.unit)
    if published.unit == "utterance_id":
        return [str(value) for value in values]
    if not all(values):
        raise ProtocolError(
            f"the folds '{published.name}' divide {manifest.corpus} by speaker, and this copy does "
            "not name the speaker of every utterance",
            hint="use the protocol 'standard' for it",
        )
    # Several speakers of one utterance are one unit, which the folds name as one.
    return [" ".join(names) for names in values]


def _require_known(manifest: Manifest, published: PublishedFolds, units: Sequence[str]) -> None:
    """Check that the folds name every unit of the copy, and test none of them twice."""
    tested = Counter(unit for fold in published.test for unit in fold)
    trained = set(published.train)
    twice = sorted(unit for unit, count in tested.items() if count > 1 or unit in trained)
    if twice:
        raise ProtocolError(
            f"the folds '{published.name}' of {manifest.corpus} use "
            f"{_named(twice, published.unit)} more than once",
            hint="every unit is in one test part at most; correct the plugin that registers them",
        )
    unknown = sorted({*units}.difference(tested, trained))
    if unknown:
        raise ProtocolError(
            f"the folds '{published.name}' of {manifest.corpus} do not name "
            f"{_named(unknown, published.unit)} of this copy",
            hint="the copy is of another release, or has files that are not part of the corpus",
        )


def _named(units: Sequence[str], unit: str) -> str:
    """Return a few units for a message: ``speakers f1, f2 and 3 more``."""
    kind = {"speaker": "speaker", "utterance_id": "utterance"}[unit]
    shown = ", ".join(units[:_SHOWN])
    more = f" and {len(units) - _SHOWN} more" if len(units) > _SHOWN else ""
    return f"{kind}{'s' if len(units) > 1 else ''} {shown}{more}"


Splitter = Callable[["Manifest", "Labels", int, int], tuple[Fold, ...]]

SPLITS: dict[str, Splitter] = {
    SplitScheme.RANDOM: random_split,
    SplitScheme.SPEAKER_DISJOINT: speaker_disjoint,
    SplitScheme.RANDOM_KFOLD: random_kfold,
    SplitScheme.OFFICIAL: official_split,
}


def count_shared(manifest: Manifest, column: str, fold: Fold) -> int | None:
    """Return how many speakers or texts are on both sides of a fold; None where unknown."""
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
    if all(group is not None for group in weaker) and len(set(weaker)) > 1:
        return manifest.column("group_kind")[0] or "group", weaker
    texts = manifest.column("text_id")
    if all(text is not None for text in texts) and len(set(texts)) > 1:
        return "text", texts
    raise ProtocolError(
        f"{manifest.corpus} names neither two speakers nor two texts, so every split would share "
        "some",
        hint="use the protocol 'standard' for it",
    )


def _components(speakers: Sequence[Sequence[str]]) -> list[str]:
    """Return the connected component of speakers of every utterance, by its first name."""
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
