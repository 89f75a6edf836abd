"""Units of a test set: which utterances are not independent of each other.

Utterances of one speaker resemble each other, so a statistic varies over speakers, not over
utterances (Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    Counts = npt.NDArray[Any]

UTTERANCE = "utterance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """What varies when a corpus is recorded again."""

    kind: str
    """``speaker``, the corpus's weaker grouping, or ``utterance``."""
    codes: npt.NDArray[np.int64]
    """int64 (manifest rows,): the unit of each utterance."""


def units_of(manifest: pa.Table) -> Units:
    """Return the units of a corpus.

    Speakers who share an utterance (a conversation) form one unit.

    Args:
        manifest: rows as in `sercore.corpora.manifest.SCHEMA`.
    """
    speakers = manifest["speaker"].to_pylist()
    if speakers and all(speakers):
        return Units(kind="speaker", codes=_connected(speakers))
    groups = manifest["group"].to_pylist()
    if groups and all(group is not None for group in groups):
        kind = manifest["group_kind"][0].as_py() or "group"
        return Units(kind=kind, codes=np.unique(groups, return_inverse=True)[1])
    return Units(kind=UTTERANCE, codes=np.arange(manifest.num_rows))


def units_in(units: Units, rows: npt.NDArray[np.int64]) -> Units:
    """Return the units of some utterances: their speakers, or themselves where there is only one.

    Args:
        units: of the whole manifest.
        rows: int64 (utterances,), manifest rows.
    """
    codes = units.codes[rows]
    if units.kind != UTTERANCE and len(codes) and codes.min() != codes.max():
        return Units(kind=units.kind, codes=codes)
    return Units(kind=UTTERANCE, codes=rows)


def unit_counts(
    labels: Counts, predictions: Counts, units: Counts, n_units: int, n_classes: int
) -> npt.NDArray[np.float32]:
    """Return float32 (units, classes, classes): the confusion counts of each unit.

    Args:
        labels: int (utterances,).
        predictions: int (utterances,).
        units: int (utterances,), positions below `n_units`.
        n_units: how many units there are.
        n_classes: the size of the class space.
    """
    pairs = (units.astype(np.int64) * n_classes + labels) * n_classes + predictions
    counts = np.bincount(pairs, minlength=n_units * n_classes**2)
    return counts.astype(np.float32).reshape(n_units, n_classes, n_classes)


def _connected(names: Sequence[Sequence[str]]) -> npt.NDArray[np.int64]:
    """Return the connected component of each list of names."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    flat = [name for listed in names for name in listed]
    index = {name: position for position, name in enumerate(dict.fromkeys(flat))}
    first = [index[listed[0]] for listed in names]
    edges = [(index[listed[0]], index[name]) for listed in names for name in listed[1:]]
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(index),) * 2)
    components = connected_components(graph, directed=False)[1]
    return np.asarray(components[first], dtype=np.int64)
