"""The figures of the page about the audio of a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl

from sercore.diagnostics.health import PLOTTED
from sercore.reports.colours import SERIES
from sercore.reports.drawing import STYLE
from sercore.reports.drawing import new_drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sercore.diagnostics.health import Health
    from sercore.diagnostics.health import Spread
    from sercore.reports.drawing import Drawing

_MOST_SPEAKERS = 40
_ROW = 0.27
_WIDTH = 7.6


@mpl.rc_context(STYLE)
def by_class(corpus: str, health: Health) -> Drawing:
    """Draw every measure by class."""
    classes = list(health.by_class["level_db"])
    drawing = new_drawing(
        f"{corpus}-classes",
        "Loudness, length and silence by class",
        (_WIDTH, 2 * (0.75 + _ROW * len(classes))),
    )
    grid = drawing.figure.subplots(2, 2, sharey=True)
    for axes, (measure, title) in zip(grid.flat, PLOTTED.items(), strict=True):
        _draw(drawing, axes, measure, title, health.by_class[measure], classes[::-1])
    drawing.alt = "Dot plot. " + " ".join(
        f"{name}: median loudness {health.by_class['level_db'][name].median:.0f} dBFS, median "
        f"length {health.by_class['duration_s'][name].median:.1f} s."
        for name in classes
    )
    return drawing


@mpl.rc_context(STYLE)
def by_speaker(corpus: str, health: Health) -> Drawing | None:
    """Draw loudness and length by speaker, the loudest first; None without two speakers."""
    levels = health.by_speaker["level_db"]
    if len(levels) < 2:
        return None
    order = sorted(levels, key=lambda name: levels[name].median)
    title = "Loudness and length by speaker"
    if len(order) > _MOST_SPEAKERS:
        title += f": the {_MOST_SPEAKERS // 2} quietest and loudest of {len(order)}"
        order = order[: _MOST_SPEAKERS // 2] + order[-_MOST_SPEAKERS // 2 :]
    drawing = new_drawing(f"{corpus}-speakers", title, (_WIDTH, 0.75 + 0.2 * len(order)))
    grid = drawing.figure.subplots(1, 2, sharey=True)
    for axes, measure in zip(grid, ("level_db", "duration_s"), strict=True):
        _draw(drawing, axes, measure, PLOTTED[measure], health.by_speaker[measure], order)
    ends = order[0], order[-1]
    drawing.alt = (
        f"Dot plot. {len(levels)} speakers, from {ends[0]} ({levels[ends[0]].median:.0f} dBFS) to "
        f"{ends[1]} ({levels[ends[1]].median:.0f} dBFS)."
    )
    return drawing


def _draw(
    drawing: Drawing,
    axes: Axes,
    measure: str,
    title: str,
    spreads: Mapping[str, Spread],
    order: list[str],
) -> None:
    """Draw one row per group: 90 %, 50 % and the median of its recordings."""
    colour = SERIES[list(PLOTTED).index(measure)][0]
    unit = title.rpartition("(")[2].rstrip(")")
    for y, name in enumerate(order):
        spread = spreads[name]
        axes.plot([spread.low, spread.high], [y, y], color=colour, linewidth=1)
        axes.plot(
            [spread.first, spread.third], [y, y], color=colour, linewidth=4, solid_capstyle="butt"
        )
        tip = (
            f"{name} ({spread.n} recordings)\n{title.rpartition(' (')[0]}: median "
            f"{spread.median:.2f} {unit}\n50 %: {spread.first:.2f} to {spread.third:.2f}\n"
            f"90 %: {spread.low:.2f} to {spread.high:.2f}"
        )
        style = {"marker": "o", "markersize": 5.5, "markeredgewidth": 1.2}
        drawing.mark(axes, spread.median, y, tip, color=colour, **style)
    axes.set_yticks(range(len(order)), order)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlabel(title)
    axes.grid(visible=True, axis="x")
    axes.margins(x=0.06)
