"""How much space the frames of a run take at once (``--cache-budget``)."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING
from typing import Protocol

from sercore.audio.hours import estimate_hours

if TYPE_CHECKING:
    from sercore.runs.backbone_work import BackboneWork
    from sercore.runs.planned import PlannedCorpus
    from sercore.storage.workspace import Workspace

_FLOAT16_BYTES = 2


class Space(Protocol):
    """Decides when the frames of another backbone may be extracted."""

    def admits(self, begun: Iterable[BackboneWork], work: BackboneWork) -> bool:
        """Return whether the frames of a backbone fit beside those that are in use."""

    def make_room(self, begun: Iterable[BackboneWork], work: BackboneWork) -> None:
        """Remove frames that nobody uses, so that those of a backbone fit."""


class Unlimited:
    """Keeps all frames."""

    def admits(self, begun: Iterable[BackboneWork], work: BackboneWork) -> bool:
        """Return True."""
        del begun, work
        return True

    def make_room(self, begun: Iterable[BackboneWork], work: BackboneWork) -> None:
        """Remove nothing."""


class FrameSpace:
    """Keeps the frames within a budget. One backbone is always admitted.

    Args:
        budget: bytes of frames that may be in the workspace.
        run: name of the run.
        workspace: where the frames are.
        say: shows a sentence.
    """

    def __init__(
        self, budget: int, run: str, workspace: Workspace, say: Callable[[str], None]
    ) -> None:
        self._budget = budget
        self._run = run
        self._workspace = workspace
        self._say = say
        self._seconds = cache(_seconds)

    def admits(self, begun: Iterable[BackboneWork], work: BackboneWork) -> bool:
        """See `Space`."""
        return sum(map(self._bytes, (*begun, work))) <= self._budget

    def make_room(self, begun: Iterable[BackboneWork], work: BackboneWork) -> None:
        """See `Space`."""
        from sercore.features.cache import trim

        needed = self._bytes(work)
        if needed > self._budget:
            self._say(
                f"the frames of {work.backbone.name} take about {needed / 1e9:.1f} GB, more than "
                f"the cache budget of {self._budget / 1e9:.1f} GB"
            )
        stores = {
            user: [
                user.backbone.features(corpus, self._workspace, user.protocol)
                for corpus in user.corpora.values()
            ]
            for user in (*begun, work)
        }
        keep = {store.folder for found in stores.values() for store in found}
        there = sum(self._stored(store.n_frames, work) for store in stores[work])
        trimmed = trim(
            self._workspace, max(self._budget - needed + there, 0), run=self._run, keep=keep
        )
        if trimmed.removed:
            names = sorted({store.backbone for store in trimmed.removed})
            self._say(f"the frames of {', '.join(names)} were removed to make room")

    def _bytes(self, work: BackboneWork) -> int:
        """Return about how many bytes the frames of a backbone take."""
        card = work.backbone.backbone.card
        seconds = sum(map(self._seconds, work.corpora.values()))
        return self._stored(int(seconds * card.frame_rate), work)

    @staticmethod
    def _stored(n_frames: int, work: BackboneWork) -> int:
        return n_frames * work.backbone.backbone.card.width * _FLOAT16_BYTES


def _seconds(corpus: PlannedCorpus) -> float:
    return 3600 * (estimate_hours(corpus.files, corpus.manifest) or 0.0)
