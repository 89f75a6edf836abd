"""The matrix of a run in the terminal, while it fills."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from sercore.cli.text import plain
from sercore.evaluation.class_rules import IN_DOMAIN

if TYPE_CHECKING:
    from sercore.runs.events import CellResult
    from sercore.runs.planned import Plan


_FULL_HEADERS = 9
"""Up to so many columns carry whole corpus names."""
_CORNER = "train ╲ test"
_CELL = 6
"""Characters of a cell: a score, or "failed"."""
_FRAME = 3
"""Characters of the frame and padding of a column."""


class MatrixView:
    """What is known of every cell so far, as one table per matrix and class rule.

    Args:
        plan: names the rows, columns and cells.
    """

    def __init__(self, plan: Plan) -> None:
        self._demo: dict[str, bool] = {}
        self._rules: dict[str, list[str]] = defaultdict(list)
        self._cells: dict[tuple[str, str], dict[tuple[str, str], list[CellResult]]] = {}
        self._tests: dict[str, set[str]] = defaultdict(set)
        self._trains: dict[str, list[str]] = defaultdict(list)
        for job in plan.jobs:
            name = plan.matrix_name(job)
            self._demo[name] = self._demo.get(name, True) and job.train.corpus.card.demo
            if job.train.id not in self._trains[name]:
                self._trains[name].append(job.train.id)
            for test_set in job.test_sets:
                self._tests[name].add(test_set.corpus.id)
                for rule in test_set.rules:
                    if rule.name != IN_DOMAIN and rule.name not in self._rules[name]:
                        self._rules[name].append(rule.name)
                    cells = self._cells.setdefault((name, rule.name), {})
                    cells[job.train.id, test_set.corpus.id] = []

    def add(self, result: CellResult) -> None:
        """Take in one result; folds and seeds of a cell are averaged."""
        self._cells[result.matrix, result.rule][result.train, result.test].append(result)

    def tables(self, width: int) -> list[Table]:
        """Return the tables of every backbone and out-of-domain rule.

        A matrix that is wider than the terminal is cut into several tables, by test corpora.

        Args:
            width: columns of the terminal.
        """
        return [
            self._table(name, rule, tests)
            for name in self._trains
            for rule in (self._rules[name] or [IN_DOMAIN])
            for tests in self._blocks(name, width)
        ]

    def _blocks(self, name: str, width: int) -> list[list[str]]:
        """Return the test corpora of a matrix, as many at a time as fit into the width."""
        tests = sorted(self._tests[name])
        first = max(len(_CORNER), *map(len, self._trains[name]))
        room = max(width - first - _FRAME, 0)
        columns = [max(len(_header(test, tests)), _CELL) + _FRAME for test in tests]
        blocks: list[list[str]] = [[]]
        used = 0
        for test, needed in zip(tests, columns, strict=True):
            if blocks[-1] and used + needed > room:
                blocks.append([])
                used = 0
            blocks[-1].append(test)
            used += needed
        return blocks

    def _table(self, name: str, rule: str, tests: list[str]) -> Table:
        every = sorted(self._tests[name])
        note = " (demo: not a result)" if self._demo[name] else ""
        title = f"{name}{note}" if rule == IN_DOMAIN else f"{name}{note} · {rule}"
        if len(tests) < len(every):
            title += f" · {tests[0]} to {tests[-1]}"
        table = Table(title=plain(title), title_justify="left", title_style="bold", pad_edge=False)
        table.add_column(_CORNER, no_wrap=True, style="dim")
        for test in tests:
            table.add_column(plain(_header(test, every)), justify="right", no_wrap=True)
        for train in self._trains[name]:
            cells = [self._cell(name, rule, train, test) for test in tests]
            table.add_row(plain(train), *cells)
        return table

    def _cell(self, name: str, rule: str, train: str, test: str) -> Text:
        place = IN_DOMAIN if train == test else rule
        results = self._cells.get((name, place), {}).get((train, test))
        if results is None:
            return Text("")
        if not results:
            return Text("·", style="dim")
        values = [result.value for result in results if result.value is not None]
        if not values:
            return Text("failed", style="bold red")
        mean = fmean(values)
        return Text(f"{mean:.3f}", style=_colour(mean, in_domain=train == test))


def _header(test: str, tests: list[str]) -> str:
    """Return the header of a test corpus; many columns carry short names."""
    return test if len(tests) <= _FULL_HEADERS else test[:4]


def _colour(value: float, *, in_domain: bool) -> str:
    """Return a style from red over yellow to green; cells of the diagonal are bold."""
    red = round(255 * min(1.0, 2 * (1 - value)))
    green = round(255 * min(1.0, 2 * value))
    weight = "bold " if in_domain else ""
    return f"{weight}rgb({red},{green},80)"
