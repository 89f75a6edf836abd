"""Checks that every probe makes on its input: training part, frames, stored weights."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from sercore.features.packed import PackedFrames

_TRAIN_AGAIN = "it was written by another kind of probe; train it again"


def check_training_part(
    rows: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], n_classes: int
) -> None:
    """Check that a probe can be trained on these utterances.

    Args:
        rows: int64 (n,), the utterances of the training part.
        labels: int64 (n,), their classes.
        n_classes: number of classes.

    Raises:
        ProtocolError: there is no utterance, or an utterance has no class.
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
            hint="leave out the utterances to which the label mapper gives no class",
        )


def check_every_utterance_has_frames(frames: PackedFrames, rows: npt.NDArray[np.int64]) -> None:
    """Check that every chosen utterance has at least one frame.

    Args:
        frames: the frames of the corpus.
        rows: int64 (n,), the chosen utterances.

    Raises:
        ProtocolError: an utterance has no frames.
    """
    if (missing := rows[frames.length[rows] <= 0]).size:
        raise ProtocolError(
            f"utterance {int(missing[0])} of the corpus has no frames"
            f" ({missing.size} of {rows.size} utterances have none)",
            hint="leave out the utterances whose extraction failed",
        )


def check_width(frames: PackedFrames, width: int) -> None:
    """Check that frames are as wide as those a probe was trained on.

    Raises:
        ProtocolError: they are wider or narrower.
    """
    if frames.width != width:
        raise ProtocolError(
            f"the probe was trained on frames {width} wide, these are {frames.width} wide",
            hint="use the backbone, layer and variant that the probe was trained on",
        )


def check_stored_names(weights: Mapping[str, npt.NDArray[Any]], names: Iterable[str]) -> None:
    """Check that stored weights hold every array of a probe.

    Raises:
        ProtocolError: an array is missing.
    """
    if missing := sorted(set(names) - set(weights)):
        raise ProtocolError(f"the stored probe lacks {', '.join(missing)}", hint=_TRAIN_AGAIN)


def check_stored_shapes(
    weights: Mapping[str, npt.NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Check that stored weights have the expected shapes.

    Args:
        weights: the stored arrays by name.
        shapes: the expected shapes by name.

    Raises:
        ProtocolError: an array has another shape.
    """
    for name, shape in shapes.items():
        if weights[name].shape != shape:
            raise ProtocolError(
                f"{name} of the stored probe has shape {weights[name].shape}, expected {shape}",
                hint=_TRAIN_AGAIN,
            )
