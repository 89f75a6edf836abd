"""What of a run is stored already, and intact.

A damaged file that can be computed again counts as missing: it is removed, named in one sentence,
and the rest of the run continues.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sercore.errors import WorkspaceError
from sercore.evaluation.predictions import predictions_path
from sercore.probes.store import probe_files
from sercore.probes.store import probe_record_path
from sercore.probes.store import read_probe_record

if TYPE_CHECKING:
    from sercore.probes.store import ProbeRecord
    from sercore.storage.workspace import Workspace


class StoredResults:
    """Probes and predictions of a workspace, verified when they are read.

    Args:
        workspace: where they are.
        note: shows one sentence for each damaged result.
    """

    def __init__(self, workspace: Workspace, note: Callable[[str], None]) -> None:
        self._workspace = workspace
        self._note = note

    def probe(self, key: str, label: str) -> ProbeRecord | None:
        """Return the record of a whole probe; None if it is missing or damaged.

        Args:
            key: the probe key.
            label: what the probe is called in the sentence.
        """
        if not self._workspace.exists(probe_record_path(key)):
            return None
        try:
            for path in probe_files(key):
                self._workspace.read_sealed(path)
            return read_probe_record(self._workspace, key)
        except WorkspaceError as error:
            self._workspace.remove(f"probes/{key}")
            self._note(f"the probe {label} is trained again: {error.message}")
            return None

    def has_predictions(self, key: str, label: str) -> bool:
        """Return whether intact predictions are stored.

        Args:
            key: the prediction key.
            label: what the cell is called in the sentence.
        """
        path = predictions_path(key)
        if not self._workspace.exists(path):
            return False
        damage = self._workspace.damage(path)
        if damage is not None:
            self._workspace.remove(path)
            self._note(f"{label} is predicted again: {damage}")
        return damage is None
