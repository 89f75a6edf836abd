"""What published folds of a corpus share, computed from its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sercore.errors import ProtocolError
from sercore.evaluation.protocols import SplitScheme
from sercore.evaluation.published_folds import published_name
from sercore.evaluation.splits import missing_units
from sercore.evaluation.splits import shared_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sercore.evaluation.splits import Fold
    from sercore.runs.planned import PlannedCorpus

_SHOWN = 10
"""Speakers that a sentence names."""


def require_disjoint(
    corpus: PlannedCorpus, split: str, folds: Sequence[Fold], *, accepted: bool
) -> None:
    """Refuse published folds that have a speaker on both sides, unless the user accepts them.

    The split that the authors of a corpus published (`official`) is never refused.

    Raises:
        ProtocolError: speakers are on both sides; the message names them.
    """
    name = published_name(split)
    if name is None or accepted:
        return
    shared = shared_names(corpus.manifest, folds)
    if shared:
        raise ProtocolError(
            f"the folds '{name}' of {corpus.id} have {_speakers(shared)} on both sides",
            hint="use the protocol 'speaker-disjoint', or add --accept-shared-speakers",
        )


def describe_folds(corpus: PlannedCorpus, split: str, folds: Sequence[Fold]) -> str | None:
    """Return a sentence about the published folds of a corpus; None for splits made by sercore."""
    name = published_name(split)
    if name is None and split != SplitScheme.OFFICIAL:
        return None
    shared = shared_names(corpus.manifest, folds)
    if shared is None:
        sides = "it does not name the speaker of every utterance, so shared ones are not known"
    elif shared:
        sides = f"{_speakers(shared)} on both sides"
    else:
        sides = "no speaker is on both sides"
    tested = sum(len(fold.test) for fold in folds)
    number = f"{len(folds)} fold{'s' if len(folds) > 1 else ''}"
    parts = [f"{number} test {tested} of {int((corpus.labels >= 0).sum())} utterances", sides]
    if name is None:
        return f"{corpus.id}: the authors' split: {'; '.join(parts)}"
    published = corpus.folds[name]
    missing = missing_units(corpus.manifest, published)
    if missing:
        kind = {"speaker": "speakers", "utterance_id": "utterances"}[published.unit]
        parts.append(f"{len(missing)} of the listed {kind} are not in this copy ({missing[0]} ...)")
    return f"{corpus.id}: folds '{name}' ({published.source}): {'; '.join(parts)}"


def _speakers(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"speaker{'s' if len(names) > 1 else ''} {shown}{more}"
