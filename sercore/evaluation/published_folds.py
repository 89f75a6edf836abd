"""Folds that others published for a corpus, as data; `sercore.evaluation.splits` applies them."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Final
from typing import Literal

from sercore.evaluation.protocols import PROTOCOLS
from sercore.evaluation.protocols import SplitScheme

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sercore.evaluation.protocols import Protocol

PREFIX: Final = f"{SplitScheme.OFFICIAL}:"
"""``official:NAME`` is the split, and the protocol, of the published folds of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFolds:
    """Folds of one corpus that were published elsewhere.

    Each fold lists its test part, and everything else of the corpus trains. Speakers are the
    shortest description of folds that share none; `unit` says what is listed.
    """

    corpus: str
    """Id of the corpus that they divide."""
    name: str
    """``[a-z0-9-]``: ``--protocol official:NAME``. Folds of several corpora may share it."""
    source: str
    """Who published them, and where."""
    test: tuple[tuple[str, ...], ...] = ()
    """What each fold tests; no unit is in two folds."""
    train: tuple[str, ...] = ()
    """Units that train in every fold and are never tested."""
    unit: Literal["speaker", "utterance_id"] = "speaker"
    """The column of the manifest whose values are listed."""
    refused: str | None = None
    """Why the folds are not offered, in place of their lists: the speakers on both sides."""

    @property
    def id(self) -> str:
        """The name under which they are registered."""
        return f"{self.corpus}-{self.name}"


def published_name(split: str) -> str | None:
    """Return the name of published folds from the name of a split; None for another split."""
    return split.removeprefix(PREFIX) if split.startswith(PREFIX) else None


def protocols_of(folds: Iterable[PublishedFolds]) -> dict[str, Protocol]:
    """Return a protocol for every name of published folds: `official` on these folds."""
    by_name: dict[str, list[PublishedFolds]] = {}
    for found in folds:
        by_name.setdefault(found.name, []).append(found)
    (official,) = (protocol for protocol in PROTOCOLS if protocol.id == SplitScheme.OFFICIAL)
    return {
        f"{PREFIX}{name}": replace(
            official,
            id=f"{PREFIX}{name}",
            split=f"{PREFIX}{name}",
            n_folds=max(max((len(one.test) for one in found), default=1), 1),
            summary=_summary(name, found),
        )
        for name, found in sorted(by_name.items())
    }


def _summary(name: str, found: list[PublishedFolds]) -> str:
    offered = sorted(one.corpus for one in found if one.refused is None)
    return f"as official, on the folds '{name}' of {', '.join(offered) or 'no corpus'}"
