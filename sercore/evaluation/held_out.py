"""Training-side utterances that did not train a probe: what label shift is estimated from.

They are the in-domain test part of the same probe: with folds, the part that its fold left out.
Their labels are those of the training corpus, so no label of a test corpus is used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sercore.errors import ProtocolError
from sercore.errors import WorkspaceError
from sercore.evaluation.label_shift import HeldOut
from sercore.evaluation.label_shift import held_out

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.evaluation.predictions import Predictions

    Mask = npt.NDArray[np.bool_]

HeldOutOf = Callable[["Mask"], HeldOut]
"""Returns what is known about one probe, given the classes that can be said."""


class HeldOutParts:
    """What is known about the probes of a run, computed once per probe and set of classes.

    Threads can share it.

    Args:
        read: returns the predictions of a prediction key.
        in_domain: prediction key of the in-domain test part, by probe key.
    """

    def __init__(self, read: Callable[[str], Predictions], in_domain: Mapping[str, str]) -> None:
        self._read = read
        self._in_domain = in_domain
        self._lock = threading.Lock()
        self._known: dict[tuple[str, bytes], HeldOut] = {}

    def of(self, probe_key: str | None) -> HeldOutOf:
        """Return what is known about a probe.

        The result raises `ProtocolError` where the in-domain predictions of the probe are not
        stored, or where none of its utterances has a class that can be said.
        """

        def known(sayable: Mask) -> HeldOut:
            key = self._in_domain.get(probe_key or "")
            if probe_key is None or key is None:
                raise ProtocolError(
                    "the in-domain predictions of this probe are not stored",
                    hint="run the in-domain cell of its training corpus",
                )
            place = (probe_key, sayable.tobytes())
            with self._lock:
                if place not in self._known:
                    part = self._part(key)
                    self._known[place] = held_out(part.logits, part.labels, sayable=sayable)
                return self._known[place]

        return known

    def _part(self, key: str) -> Predictions:
        try:
            return self._read(key)
        except WorkspaceError as error:
            raise ProtocolError(
                f"the in-domain predictions of this probe cannot be read: {error.message}",
                hint="run the in-domain cell of its training corpus again",
            ) from error
