"""The parts of one store: which exist, which are damaged, and their bytes.

Every file is verified before it is read. A damaged part is forgotten and named, so that extraction
computes it again.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import numpy as np

from sercore.errors import DamagedError
from sercore.errors import WorkspaceError

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from sercore.features.packed import FrameBlock
    from sercore.features.parts import ExtractedUtterance
    from sercore.features.parts import PartFiles

T = TypeVar("T")


class DamagedFeaturesError(DamagedError):
    """Parts of a store are damaged. They are forgotten, so that extraction computes them again.

    Args:
        message: as in `sercore.errors.SercoreError`.
        hint: likewise.
        damage: one sentence per part.
    """

    def __init__(self, message: str, *, hint: str | None, damage: Sequence[str]) -> None:
        super().__init__(message, hint=hint)
        self.damage = tuple(damage)


class PartList:
    """The parts of one store, numbered in its order.

    Args:
        files: where the parts of the encoder lie.
        keys: key of each part.
        corpus: id of the corpus, for messages.
        place: folder of the store, for messages.
    """

    def __init__(self, files: PartFiles, keys: Sequence[str], *, corpus: str, place: str) -> None:
        self.files = files
        self.keys = tuple(keys)
        self._corpus = corpus
        self._place = place
        self._records: dict[int, dict[str, Any]] = {}
        self._damage: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def damage(self) -> tuple[str, ...]:
        """One sentence for each part that was found damaged and is not extracted again yet."""
        return tuple(self._damage[part] for part in sorted(self._damage))

    def record(self, part: int) -> dict[str, Any] | None:
        """Return the record of a part; None if the part is missing or its record is damaged."""
        if part not in self._records:
            try:
                record = self.files.record(self.keys[part])
            except DamagedError:
                self._note_damage(part)
                return None
            if record is None:
                return None
            self._records[part] = record
            self._damage.pop(part, None)
        return self._records[part]

    def present(self) -> list[dict[str, Any]]:
        """Return the records of all parts that exist."""
        records = [self.record(part) for part in range(len(self))]
        return [record for record in records if record is not None]

    def all(self) -> list[dict[str, Any]]:
        """Return the records of all parts.

        Raises:
            DamagedFeaturesError: parts are damaged.
            WorkspaceError: a part is missing.
        """
        records = self.present()
        if len(records) < len(self):
            self._refuse(sorted(self._damage))
            raise WorkspaceError(
                f"{self._place} holds {len(records)} of {len(self)} parts",
                hint="run again: extraction continues where it stopped",
            )
        return records

    def has(self, part: int, *, layer_means: bool = False) -> bool:
        """Return whether a part exists (with layer means, if wanted), failures or not."""
        record = self.record(part)
        return record is not None and (not layer_means or record["layers"] is not None)

    def missing(
        self, parts: Iterable[int] | None = None, *, layer_means: bool = False
    ) -> list[int]:
        """Return those of some parts (of all if None) that a run should extract.

        These are the parts that are missing or damaged, those with an utterance that has no frames
        (a failure is never a result), and those without layer means if these are wanted.
        """
        return [
            part
            for part in (range(len(self)) if parts is None else parts)
            if not self.has(part, layer_means=layer_means) or self._records[part]["failures"]
        ]

    def write(
        self,
        part: int,
        utterances: Sequence[ExtractedUtterance],
        *,
        layer_means: bool,
        plan: Mapping[str, Any],
    ) -> None:
        """Write one part, as `PartFiles.write` does, unless another process wrote it meanwhile."""
        self._records.pop(part, None)
        if self.missing([part], layer_means=layer_means):
            self.files.write(self.keys[part], utterances, layer_means=layer_means, plan=plan)
        self._records.pop(part, None)
        self._damage.pop(part, None)

    def discard(self, part: int) -> None:
        """Forget a part, so that the next run extracts it again."""
        self._records.pop(part, None)
        self.files.discard(self.keys[part])

    def frames(self, *, verify: bool = True) -> list[tuple[npt.NDArray[np.int64], FrameBlock]]:
        """Return the frames of every part, as `PartFiles.frames` does.

        Args:
            verify: compare the bytes of each part with its record, once per process and file.

        Raises:
            DamagedFeaturesError: parts are damaged; they are forgotten.
            WorkspaceError: a part is missing.
        """
        self.all()
        if verify:
            self._refuse(self.discard_damaged())
        return self._read_all(lambda part: self.files.frames(self.keys[part]))

    def layer_means(
        self, layer: int
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Return positions in the part and means at one layer, for every part.

        Raises:
            DamagedFeaturesError: parts are damaged; they are forgotten.
            WorkspaceError: a part is missing.
        """
        records = self.all()
        self._refuse(self.discard_damaged())

        def read(part: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
            batch = self.files.means(self.keys[part])
            values = batch.column("means").values.to_numpy(zero_copy_only=True)
            by_layer = values.reshape(-1, records[part]["layers"], self.files.width)
            # A copy: the means of all layers of all parts need not be in memory at once.
            return batch.column("position").to_numpy(), by_layer[:, layer].astype(np.float32)

        return self._read_all(read)

    def audio(self) -> list[pa.RecordBatch]:
        """Return what decoding found out about the recordings of every part, without its frames.

        Raises:
            DamagedFeaturesError: parts are damaged; they are forgotten.
            WorkspaceError: a part is missing.
        """
        records = self.all()
        return self._read_all(lambda part: self.files.audio(self.keys[part], records[part]))

    def verify(self) -> list[int]:
        """Return the parts whose files do not hold what was written; forget nothing."""
        damaged = []
        for part, key in enumerate(self.keys):
            try:
                record = self.files.record(key)
                if record is not None:
                    self.files.verify(key, record, again=True)
            except DamagedError:
                damaged.append(part)
        return damaged

    def discard_damaged(self, parts: Iterable[int] | None = None) -> list[int]:
        """Verify parts (all if None), once per process and file, and forget damaged ones.

        Returns:
            Their numbers.
        """
        chosen = range(len(self)) if parts is None else parts
        return [part for part in chosen if self._is_discarded(part)]

    def discard_changed(self) -> None:
        """Verify the parts whose files changed after they were written; forget damaged ones.

        Cheap enough for every run: it compares times, and reads only what has changed.
        """
        for part, key in enumerate(self.keys):
            record = self.record(part)
            if record is None or not self.files.has_changed(key, record):
                continue
            if not self._is_discarded(part):
                self.files.confirm(key)

    def _is_discarded(self, part: int) -> bool:
        """Verify a part, forget it if it is damaged, and return whether it is."""
        record = self.record(part)
        if record is None:
            return False
        try:
            self.files.verify(self.keys[part], record)
        except DamagedError:
            self._note_damage(part)
            self.discard(part)
            return True
        return False

    def _read_all(self, read: Callable[[int], T]) -> list[T]:
        batches = []
        for part in range(len(self)):
            try:
                batches.append(read(part))
            except DamagedError:
                self._note_damage(part)
                self.discard(part)
        self._refuse(sorted(self._damage))
        return batches

    def _note_damage(self, part: int) -> None:
        self._damage[part] = (
            f"part {part} of the frames of {self._corpus} was damaged and is extracted again"
        )

    def _refuse(self, damaged: Sequence[int]) -> None:
        if damaged:
            parts = ", ".join(map(str, damaged))
            raise DamagedFeaturesError(
                f"{self._place} is damaged: part {parts} does not hold the bytes that were written",
                hint="run again: what is damaged is extracted again",
                damage=[self._damage[part] for part in damaged],
            )
