"""What is said about one cell, in a tooltip and when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from sercore.results.text import interval_text
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import signed

if TYPE_CHECKING:
    from sercore.reports.views import CellView
    from sercore.reports.views import Row


def cell_tip(row: Row, view: CellView) -> str:
    """Return the few lines of a cell's tooltip."""
    cell = view.cell
    where = f"{cell.train} in domain" if cell.in_domain else f"{cell.train} on {cell.test}"
    lines = [row.title, f"{where}: {number(cell.value)}"]
    if view.interval is not None:
        lines.append(interval_text(view.interval))
    if view.chance is not None:
        lines.append(f"random answers: {number(view.chance.random)}")
    if view.published is not None:
        gap = signed(cell.value - view.published)
        lines.append(f"paper: {number(view.published)} (difference {gap})")
    if not cell.complete:
        lines.append("not complete: a corpus was not whole, or audio was missing")
    return "\n".join(lines)


def is_unsure(view: CellView) -> bool:
    """Return whether random answers could have reached as much."""
    if view.chance is None:
        return False
    low = view.interval.low if view.interval is not None else view.cell.value
    return low <= view.chance.random_high


class CellIndex:
    """Cells that a click opens, by a short id, each stored once."""

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, Any]] = {}
        self._ids: dict[int, str] = {}

    def add(self, row: Row, view: CellView) -> str:
        """Return the id of a cell."""
        known = self._ids.get(id(view))
        if known is not None:
            return known
        name = f"c{len(self.cells)}"
        self._ids[id(view)] = name
        cell = view.cell
        where = f"{cell.train}, in domain" if cell.in_domain else f"{cell.train} on {cell.test}"
        entry: dict[str, Any] = {"title": f"{row.title}: {where}", "facts": list(_facts(row, view))}
        if view.confusion is not None:
            entry["labels"] = list(view.confusion.labels)
            entry["predictions"] = list(view.confusion.predictions)
            entry["counts"] = view.confusion.counts.tolist()
        self.cells[name] = entry
        return name


def _facts(row: Row, view: CellView) -> list[tuple[str, str]]:
    cell = view.cell
    facts = [(row.matrix.setting.metric, number(cell.value, 4))]
    if view.interval is not None:
        facts.append(("uncertainty", interval_text(view.interval)))
    if len(cell.by_seed) > 1:
        values = list(cell.by_seed.values())
        text = f"deviation {number(cell.spread, 4)}, range {number(min(values), 4)} to "
        facts.append((f"over {len(values)} seeds", text + number(max(values), 4)))
    elif cell.by_fold:
        text = f"{', '.join(number(value) for value in cell.by_fold)}"
        if cell.pooled:
            text += "; the score is that of all folds' predictions together"
        else:
            text += f"; deviation {number(cell.spread, 4)}"
        facts.append((f"over {len(cell.by_fold)} folds", text))
    if view.chance is not None:
        chance = view.chance
        text = f"majority {number(chance.majority)}, random {number(chance.random)}; 97.5 % of "
        facts.append(("chance", f"{text}random answers stay below {number(chance.random_high)}"))
    if view.published is not None:
        gap = signed(cell.value - view.published, 4)
        facts.append(("paper", f"{number(view.published, 4)} (difference {gap})"))
    known = ((cell.n_train, "trained on"), (cell.n_test, "tested on"))
    facts += [(name, plural(count, "utterance")) for count, name in known if count is not None]
    if cell.n_dropped:
        facts.append(("outside the class rule", plural(cell.n_dropped, "utterance")))
    if cell.n_missing:
        facts.append(("without audio", plural(cell.n_missing, "utterance")))
    if cell.n_classes is not None:
        facts.append(("averaged over", f"{cell.n_classes} classes"))
    if cell.in_domain:
        for count, name in ((cell.shared_speakers, "speaker"), (cell.shared_texts, "text")):
            text = "not known" if count is None else str(count)
            facts.append((f"{name}s on both sides", text))
    facts.append(("complete", "yes" if cell.complete else "no"))
    return facts
