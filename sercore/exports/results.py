"""The averages and cells of a run, as the formats of results share them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.results.averages import average_intervals
from sercore.results.cell_statistics import CellStatistics
from sercore.results.labels import MatrixLabels
from sercore.results.record import backbones_of
from sercore.results.record import section
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import reduce_of

if TYPE_CHECKING:
    from sercore.results.cell_statistics import Estimate
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.stored_run import StoredRun
    from sercore.statistics.intervals import Interval

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class MatrixResult:
    """The results of one matrix of a run."""

    run: StoredRun
    matrix: Matrix
    title: str
    """The backbone, and what tells it apart from the other matrices of the run."""
    estimates: dict[Pair, Estimate]

    @property
    def checkpoint(self) -> str | None:
        """Name on the Hugging Face hub; None for weights that are not there."""
        name = self.matrix.setting.checkpoint
        return name if name is not None and _HUB_NAME.fullmatch(name) else None

    @property
    def revision(self) -> str | None:
        """Commit of the weights on the hub."""
        described = backbones_of(self.run.record).get(self.matrix.setting.backbone)
        return self.matrix.setting.revision or (described.revision if described else None)

    @property
    def sercore(self) -> str | None:
        """The version of sercore that computed it."""
        version = section(self.run.record, "environment").get("sercore")
        return str(version) if version else None

    @property
    def written(self) -> str | None:
        """When the record was written, ISO 8601."""
        written = self.run.record.get("written")
        return str(written) if written else None

    @property
    def slug(self) -> str:
        """A name for a file, of the title and the choices of the comparison."""
        setting = self.matrix.setting
        parts = (setting.protocol, setting.class_rule, setting.adjustment, self.title)
        text = "-".join(part for part in parts if part)
        return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")

    @property
    def setup(self) -> str:
        """One line that says what was measured."""
        setting = self.matrix.setting
        seeds = len(self.matrix.seeds)
        parts = [
            f"sercore {self.sercore or 'of unknown version'}",
            f"protocol {setting.protocol}",
            setting.metric,
            f"class rule {setting.class_rule}, adjustment {setting.adjustment}"
            if setting.class_rule
            else "",
            f"probe {setting.probe}" if setting.probe else "",
            f"layer {setting.layer}" if setting.layer else "",
            f"{seeds} seed{'s' * (seeds != 1)}" if seeds else "",
        ]
        return ", ".join(part for part in parts if part)

    def averages(self) -> Iterator[tuple[str, float, Interval | None, str]]:
        """Yield name, value, interval and coverage of every average."""
        reductions = reduce_of(self.matrix, self.run.record)
        around = average_intervals(reductions, self.estimates)
        inside, outside = reductions.in_domain, reductions.out_of_domain
        if inside.mean is not None:
            yield "in-domain", inside.mean, around.in_domain, f"{inside.coverage} corpora"
        if outside is not None and outside.average.mean is not None:
            mean = outside.average.mean
            yield "out-of-domain", mean, around.out_of_domain, outside.coverage


def results_of(run: StoredRun) -> list[MatrixResult]:
    """Return the results of every matrix of a run, demo data left out."""
    found = [matrix for matrix in matrices_of(run.scores, run.record) if not matrix.setting.demo]
    labels = MatrixLabels(matrix.setting for matrix in found)
    estimates = CellStatistics(run).estimates(found)
    return [
        MatrixResult(
            run,
            matrix,
            labels.title(matrix.setting),
            {
                pair: estimates[matrix.setting, pair]
                for pair in matrix.cells
                if (matrix.setting, pair) in estimates
            },
        )
        for matrix in found
    ]
