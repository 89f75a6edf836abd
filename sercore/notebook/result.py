"""A run as a value: its scores, averages, matrices, comparisons and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import ProtocolError
from sercore.errors import SettingsError
from sercore.results.labels import MatrixLabels
from sercore.results.record import sentences
from sercore.results.stored_run import matrices_of
from sercore.results.text import plural
from sercore.storage.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from sercore.reports.views import Content
    from sercore.results.matrices import Matrix
    from sercore.results.stored_run import StoredRun

_AVERAGES = ("in-domain", "out-of-domain", "weighted")


@dataclass(frozen=True)
class Result:
    """A run, computed or read from a workspace.

    Numbers are the same as in `sercore report`. Methods return a pandas DataFrame; those with an
    argument `arrow` return a pyarrow Table instead if it is true.
    """

    run: StoredRun

    @property
    def name(self) -> str:
        """Name of the run in its workspace."""
        return self.run.name

    @property
    def folder(self) -> str:
        """Folder of the run."""
        return f"{self.run.workspace.root}/{self.run.folder}"

    @property
    def problems(self) -> tuple[str, ...]:
        """What failed: one sentence per fault."""
        return sentences(self.run.record, "problems")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know: one sentence per note."""
        return sentences(self.run.record, "notes")

    def scores(
        self, *, metric: str | None = None, adjustment: str | None = None, arrow: bool = False
    ) -> pd.DataFrame | pa.Table:
        """Return one row per cell: its value, 95 % interval, chance, and counts.

        Args:
            metric: which metric; that of the headline if None.
            adjustment: which out-of-domain adjustment; that of the headline if None.
            arrow: return a pyarrow Table.

        Raises:
            ProtocolError: the run has no score with the adjustment.
            SettingsError: no score has the metric, or pandas is not installed.
        """
        from sercore.reports.flat import cells_table

        return _table(cells_table(self._content(metric, adjustment)), arrow=arrow)

    def all_scores(self, *, arrow: bool = False) -> pd.DataFrame | pa.Table:
        """Return every stored score: all seeds, folds, adjustments, metrics and classes.

        Args:
            arrow: return a pyarrow Table.
        """
        return _table(self.run.scores, arrow=arrow)

    def leaderboard(
        self, *, metric: str | None = None, adjustment: str | None = None, arrow: bool = False
    ) -> pd.DataFrame | pa.Table:
        """Return one row per backbone and average, with 95 % intervals.

        The column ``reduction`` is ``in-domain``, ``out-of-domain`` or ``weighted``.

        Args:
            metric: which metric; that of the headline if None.
            adjustment: which out-of-domain adjustment; that of the headline if None.
            arrow: return a pyarrow Table.

        Raises:
            ProtocolError: the run has no score with the adjustment.
            SettingsError: no score has the metric, or pandas is not installed.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        from sercore.reports.flat import averages_table

        averages = averages_table(self._content(metric, adjustment))
        kept = pc.is_in(averages["reduction"], value_set=pa.array(_AVERAGES))
        return _table(averages.filter(kept), arrow=arrow)

    def matrix(
        self,
        backbone: str | None = None,
        *,
        metric: str | None = None,
        adjustment: str | None = None,
        probe: str | None = None,
        layer: str | int | None = None,
        class_rule: str | None = None,
        corpora: str | None = None,
    ) -> pd.DataFrame:
        """Return one matrix: training corpora as rows, test corpora as columns.

        Args:
            backbone: which backbone; may be left out if there is one.
            metric: which metric; that of the headline if None.
            adjustment: which out-of-domain adjustment; that of the headline if None.
            probe: which probe; may be left out if there is one.
            layer: which layer; may be left out if there is one.
            class_rule: which class rule; may be left out if there is one.
            corpora: which set of corpora, or ``between sets``; may be left out if there is one.

        Raises:
            ProtocolError: no matrix, or more than one, fits.
            SettingsError: pandas is not installed.
        """
        wanted = {
            "backbone": backbone,
            "probe": probe,
            "layer": None if layer is None else str(layer),
            "class_rule": class_rule,
            "corpora": corpora,
        }
        found = matrices_of(self.run.scores, self.run.record, metric=metric, adjustment=adjustment)
        matrix = _only(found, {name: value for name, value in wanted.items() if value is not None})
        pandas = _pandas()
        values = {(train, test): cell.value for (train, test), cell in matrix.cells.items()}
        trains = sorted({train for train, _ in values})
        tests = sorted({test for _, test in values})
        frame: pd.DataFrame = pandas.DataFrame(
            [[values.get((train, test)) for test in tests] for train in trains],
            index=pandas.Index(trains, name="train"),
            columns=pandas.Index(tests, name="test"),
            dtype=float,
        )
        frame.attrs["title"] = MatrixLabels([m.setting for m in found]).title(matrix.setting)
        return frame

    def compare(
        self, other: Result | str, *, metric: str | None = None, arrow: bool = False
    ) -> pd.DataFrame | pa.Table:
        """Return one row per cell of two runs: difference (other minus this), interval, verdict.

        Args:
            other: another result, or the name of a run in the same workspace, or ``published``.
            metric: which metric; that of the headline if None.
            arrow: return a pyarrow Table.

        Raises:
            ProtocolError: no cell is in both.
            WorkspaceError: no run has this name.
        """
        import pyarrow as pa

        from sercore.results.compare import compare_runs
        from sercore.results.stored_run import read_run

        run = read_run(self.run.workspace, other) if isinstance(other, str) else other.run
        rows = [
            {
                "backbone": cell.title,
                "class_rule": cell.class_rule,
                "train": cell.train,
                "test": cell.test,
                "first": cell.first,
                "second": cell.second,
                "difference": cell.difference,
                "low": cell.interval.low if cell.interval else None,
                "high": cell.interval.high if cell.interval else None,
                "verdict": cell.verdict,
            }
            for cell in compare_runs(self.run, run, metric=metric).cells
        ]
        return _table(pa.Table.from_pylist(rows, schema=_comparison_schema()), arrow=arrow)

    def report(
        self, folder: str | Path | None = None, *, formats: Sequence[str] = ("html",)
    ) -> list[Path]:
        """Write a report and return the paths of its files.

        Args:
            folder: where; the folder ``report`` of the run if None.
            formats: some of html, md, latex, csv, parquet, png, svg and pdf.

        Raises:
            SettingsError: a library is missing: ``pip install 'sercore[report]'``.
            WorkspaceError: a file cannot be written.
        """
        from sercore.reports.write import write_report

        place = self.run.workspace if folder is None else Workspace(str(folder))
        inside = self.run.report_folder if folder is None else ""
        written = write_report(self._content(None, None), place, inside, formats)
        return [Path(f"{place.root}/{path}") for path in written]

    def __repr__(self) -> str:
        return f"<sercore run '{self.name}': {self._counts()}, in {self.folder}>"

    def _repr_html_(self) -> str:
        """Return the averages as a table, with problems, for notebooks."""
        from sercore.notebook.html import result_html

        return result_html(self._headline, self._counts(), self.problems, escape(self.folder))

    def _counts(self) -> str:
        rows = self.run.headline_rows()
        failed = sum(row.status == "failed" for row in rows)
        done = plural(sum(row.status == "done" for row in rows), "cell")
        return f"{done} done" + (f", {failed} failed" if failed else "")

    @cached_property
    def _headline(self) -> Content:
        return self._content(None, None)

    def _content(self, metric: str | None, adjustment: str | None) -> Content:
        from sercore.reports.content import build_content

        content = build_content([self.run], metric=metric, adjustment=adjustment)
        if metric is not None and not content.groups:
            raise SettingsError(
                f"no score of the run '{self.name}' has the metric '{metric}'",
                hint="'sercore list metrics' lists them",
            )
        return content


def _only(found: Sequence[Matrix], wanted: dict[str, str]) -> Matrix:
    fitting = [
        matrix
        for matrix in found
        if all(getattr(matrix.setting, name) == value for name, value in wanted.items())
    ]
    if len(fitting) == 1:
        return fitting[0]
    labels = MatrixLabels([matrix.setting for matrix in found])
    offered = ", ".join(
        sorted(f"{labels.title(matrix.setting)} ({_kind(matrix)})" for matrix in (fitting or found))
    )
    asked = " and ".join(f"{name} '{value}'" for name, value in wanted.items())
    many = f"{len(fitting)} matrices fit" if fitting else "no matrix fits"
    raise ProtocolError(
        many + (f" {asked}" if asked else ""),
        hint=f"choose by backbone, probe, layer, class_rule and corpora among {offered or 'none'}",
    )


def _kind(matrix: Matrix) -> str:
    """Return the class rule and the set of corpora of a matrix."""
    setting = matrix.setting
    rule = setting.class_rule or "in-domain"
    return f"{rule}, corpora {setting.corpora}" if setting.corpora else rule


def _comparison_schema() -> pa.Schema:
    import pyarrow as pa

    texts = ("backbone", "class_rule", "train", "test")
    numbers = ("first", "second", "difference", "low", "high")
    return pa.schema(
        [
            *((name, pa.string()) for name in texts),
            *((name, pa.float64()) for name in numbers),
            ("verdict", pa.string()),
        ]
    )


def _table(table: pa.Table, *, arrow: bool) -> pd.DataFrame | pa.Table:
    if arrow:
        return table
    _pandas()
    return table.to_pandas()


def _pandas() -> Any:
    if find_spec("pandas") is None:
        raise SettingsError(
            "a DataFrame needs pandas, which is not installed",
            hint="pip install 'sercore[notebook]', or pass arrow=True where it is offered",
        )
    import pandas as pd

    return pd
