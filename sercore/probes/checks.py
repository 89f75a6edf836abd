"""What every probe asks of its training part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sercore.errors import ProtocolError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def check_training_part(
    rows: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], n_classes: int
) -> None:
    """Refuse what no probe can be trained on.

    Args:
        rows: int64 (n,), the utterances that train.
        labels: int64 (n,), their classes.
        n_classes: the size of the class space.

    Raises:
        ProtocolError: there is none, or one has no class.
    """
    if not rows.size:
        raise ProtocolError(
            "there is no utterance to train a probe on",
            hint="the training part of the split is empty; choose another split or corpus",
        )
    if rows.shape != labels.shape:
        raise ProtocolError(f"{rows.size} utterances were given with {labels.size} labels")
    if (wrong := ((labels < 0) | (labels >= n_classes)).nonzero()[0]).size:
        raise ProtocolError(
            f"utterance {int(rows[wrong[0]])} of the corpus has class {int(labels[wrong[0]])},"
            f" expected 0 to {n_classes - 1}",
            hint="leave out the utterances that the label mapper does not place",
        )
