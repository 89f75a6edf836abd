"""Predict the labels of new recordings with a stored probe."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import cast

import numpy as np

from sercore.audio.decode import read_file
from sercore.backbones.interface import EncoderOptions
from sercore.devices import set_threads
from sercore.errors import AudioError
from sercore.errors import BackboneError
from sercore.features.packed import PackedFrames
from sercore.probes.store import ProbeRecord
from sercore.probes.store import find_probe
from sercore.probes.store import read_probe

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.backbones.interface import AudioPath
    from sercore.backbones.interface import Encoder
    from sercore.plugins.registry import Registry
    from sercore.storage.workspace import Workspace


@dataclass(frozen=True)
class FilePrediction:
    """The prediction for one file."""

    file: str
    label: str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Softmax of the mean logits over the classes that the probe was trained on."""
    error: str | None = None
    """One sentence where the file could not be used."""

    def as_dict(self) -> dict[str, Any]:
        """Return the prediction as plain values."""
        return asdict(self)


def predict_files(
    workspace: Workspace,
    registry: Registry,
    probe: str,
    files: Sequence[Path],
    *,
    backbone: str | None = None,
    device: str = "cpu",
) -> list[FilePrediction]:
    """Predict the labels of recordings. A prediction does not depend on the other files.

    Args:
        workspace: holds the probe.
        registry: knows the backbone and the probe's kind.
        probe: the first letters of the probe key.
        files: recordings in any container.
        backbone: where the weights are now, as ``--backbone`` takes it; as recorded when None.
        device: torch device.

    Raises:
        UnknownNameError: no such probe or backbone.
        BackboneError: the weights are not those that the probe was trained on.
    """
    record = find_probe(workspace, probe)
    set_threads()
    encoder, rate = _encoder(record, registry, backbone, device)
    fitted = read_probe(workspace, record.key, registry.probes.get(record.probe))
    predictions = []
    for file in files:
        try:
            recording = read_file(file, rate, cast("AudioPath", record.audio_path))
        except AudioError as error:
            predictions.append(FilePrediction(str(file), error=str(error)))
            continue
        encoded = encoder.encode(encoder.prepare([recording.samples]))[0]
        logits = fitted.logits(_as_stored(encoded.frames), np.array([0]))[0]
        predictions.append(_prediction(str(file), logits, record))
    return predictions


def _as_stored(frames: npt.NDArray[np.float32]) -> PackedFrames:
    """Return frames as a probe sees them: stored features are float16, where they fit."""
    with np.errstate(over="ignore"):
        halves = frames.astype(np.float16)
    return _packed(halves if np.isfinite(halves).all() else frames)


def _prediction(file: str, logits: npt.NDArray[np.float32], record: ProbeRecord) -> FilePrediction:
    """Return a softmax over the classes that the probe was trained on."""
    trained = np.array(record.train_counts) > 0
    masked = np.where(trained, logits.astype(np.float64), -np.inf)
    shares = np.exp(masked - masked.max())
    shares /= shares.sum()
    seen = zip(record.classes, shares, trained, strict=True)
    return FilePrediction(
        file,
        label=record.classes[int(shares.argmax())],
        probabilities={name: float(share) for name, share, known in seen if known},
    )


def _encoder(
    record: ProbeRecord, registry: Registry, name: str | None, device: str
) -> tuple[Encoder, int]:
    place = record.location
    chosen = name or (f"hf:{place}" if record.backbone.startswith("hf:") else record.backbone)
    found = registry.backbone(chosen)
    checkpoint = found.resolve(offline=True)
    if checkpoint.digest != record.weights:
        raise BackboneError(
            f"the weights of {chosen} are not those that the probe was trained on",
            hint="name the right ones with --backbone",
        )
    options = EncoderOptions(**record.options, device=device)
    return found.load(checkpoint, options), found.card.sample_rate


def _packed(frames: np.ndarray[Any, Any]) -> PackedFrames:
    return PackedFrames(
        blocks=[frames],
        block=np.zeros(1, dtype=np.int32),
        start=np.zeros(1, dtype=np.int64),
        length=np.array([len(frames)], dtype=np.int64),
        width=frames.shape[1],
    )
