"""The display of a result in a notebook: plain HTML that follows the colours of the notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from sercore.results.text import number
from sercore.results.text import range_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Content
    from sercore.statistics.intervals import Interval


def result_html(content: Content, counts: str, problems: Sequence[str], folder: str) -> str:
    """Return the averages of a run with their intervals, and what failed.

    Args:
        content: the report of the run.
        counts: how many cells are done.
        problems: one sentence per fault.
        folder: where the run is stored, escaped.
    """
    groups = "".join(_group(group) for group in content.groups)
    faults = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return (
        f"<div>{groups}"
        + (f"<p>Problems:</p><ul>{faults}</ul>" if faults else "")
        + f"<p><small>{escape(counts)} · {folder}</small></p></div>"
    )


def _group(group: ComparisonGroup) -> str:
    rows = "".join(_row(result) for result in group.backbones)
    refusal = f"<p>{escape(group.refusal)}</p>" if group.refusal else ""
    heads = "".join(
        f"<th>{name}</th>" for name in ("backbone", "in-domain", "out-of-domain", "weighted")
    )
    return (
        f"<p><b>{escape(group.title)}</b></p>{refusal}"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(result: BackboneResult) -> str:
    cells = "".join(
        f"<td>{number(value)}<br><small>{_ends(interval)}</small></td>"
        for value, interval in _averages(result)
    )
    return f"<tr><td>{escape(result.title)}</td>{cells}</tr>"


def _averages(result: BackboneResult) -> Iterator[tuple[float | None, Interval | None]]:
    outside = result.out_of_domain
    yield result.reductions.in_domain.mean, result.intervals.in_domain
    yield (outside.mean if outside else None), result.intervals.out_of_domain
    yield result.reductions.weighted, result.intervals.weighted


def _ends(interval: Interval | None) -> str:
    return escape(range_text(interval)) if interval else ""
