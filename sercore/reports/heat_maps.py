"""Heat maps: the matrix of a backbone, and the F1 of each class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap

from sercore.reports.colours import GAMMA
from sercore.reports.colours import heat_colours
from sercore.reports.colours import level
from sercore.reports.drawing import MUTED
from sercore.reports.drawing import STYLE
from sercore.reports.drawing import new_drawing
from sercore.results.text import number

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from sercore.reports.drawing import Drawing
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.results.matrices import Pair

    Values = npt.NDArray[np.float64]

IN_DOMAIN_ALONE = "in domain"
"""The row of corpora that have no out-of-domain cell."""


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """A part of a heat map; NaN is an empty cell."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Values
    shades: Values
    """What is coloured in the place of the values, 0 to 1."""
    missing: Sequence[tuple[int, int]] = ()
    """Cells that a complete matrix has."""


@mpl.rc_context(STYLE)
def matrix(group: ComparisonGroup, result: BackboneResult) -> Drawing:
    """Draw the matrix of one backbone: a block for each set of corpora that cells connect.

    Corpora without an out-of-domain cell share one row. So no pair of corpora that the class rule
    excludes takes space.
    """
    drawing = _heat_map(
        f"{group.id}-matrix-{_slug(' '.join((result.backbone, *result.details)))}",
        f"{result.title}: {group.setting.metric}, train in rows, test in columns",
        list(_blocks(result)),
    )
    average = result.reductions.in_domain
    drawing.alt = (
        f"Heat map of {len(result.cells)} cells of {result.title}; in-domain mean "
        f"{number(average.mean)} ({average.coverage})."
    )
    return drawing


@mpl.rc_context(STYLE)
def classes(group: ComparisonGroup) -> Drawing:
    """Draw the F1 of each class per backbone, in and out of domain."""
    names = list(dict.fromkeys(name for result in group.backbones for name in result.class_f1))
    columns = [f"{name}, {side}" for name in names for side in ("in", "out")]
    values = np.full((len(group.backbones), len(columns)), np.nan)
    for index, result in enumerate(group.backbones):
        for place, name in enumerate(names):
            found = result.class_f1.get(name)
            if found is not None:
                # None becomes NaN.
                values[index, 2 * place : 2 * place + 2] = [found.in_domain, found.out_of_domain]
    titles = [result.title for result in group.backbones]
    drawing = _heat_map(
        f"{group.id}-classes",
        "Mean F1 of each class, in domain and out of domain",
        [_Block(titles, columns, values, values)],
    )
    drawing.alt = (
        "Heat map, one row per backbone, two columns per class; the table has the numbers."
    )
    return drawing


def _blocks(result: BackboneResult) -> Iterator[_Block]:
    clusters = result.matrix.clusters
    connected = {name for cluster in clusters for name in cluster}
    for cluster in clusters:
        pairs = {
            (train, test): (i, j)
            for i, train in enumerate(cluster)
            for j, test in enumerate(cluster)
        }
        yield _block(result, cluster, cluster, pairs)
    alone = [name for name in result.matrix.in_domain if name not in connected]
    if alone:
        pairs = {(name, name): (0, j) for j, name in enumerate(alone)}
        yield _block(result, [IN_DOMAIN_ALONE], alone, pairs)


def _block(
    result: BackboneResult,
    rows: Sequence[str],
    columns: Sequence[str],
    places: dict[Pair, tuple[int, int]],
) -> _Block:
    values = np.full((len(rows), len(columns)), np.nan)
    shades = np.full_like(values, np.nan)
    for pair, place in places.items():
        view = result.cells.get(pair)
        if view is not None:
            values[place], shades[place] = view.cell.value, view.skill
    missing = [place for pair, place in places.items() if pair in result.matrix.missing]
    return _Block(rows, columns, values, shades, missing)


def _heat_map(name: str, title: str, blocks: Sequence[_Block]) -> Drawing:
    """Draw blocks below each other; colours are on a scale from 0 to 1."""
    widest = max((len(block.columns) for block in blocks), default=1)
    heights = [len(block.rows) for block in blocks] or [1]
    # Names need room beside and above the cells.
    beside = 0.075 * max((len(row) for block in blocks for row in block.rows), default=0)
    above = [0.075 * max(map(len, block.columns), default=0) for block in blocks]
    size = (
        max(1.8, 0.7 + beside) + 0.46 * widest,
        max(1.3, 0.5 + sum(above)) + 0.32 * sum(heights) + 0.2 * (len(blocks) - 1),
    )
    drawing = new_drawing(name, title, size)
    grid = drawing.figure.add_gridspec(len(heights), widest, height_ratios=heights)
    drawing.figure.suptitle(title, x=0.01, ha="left", fontsize=9.5)
    for place, block in enumerate(blocks):
        _draw_block(drawing.figure.add_subplot(grid[place, : len(block.columns)]), block)
    return drawing


def _draw_block(ax: Axes, block: _Block) -> None:
    colours = heat_colours(dark=False)
    shown: Any = np.ma.masked_invalid(np.clip(block.shades, 0, 1) ** GAMMA)
    ax.imshow(
        shown, cmap=ListedColormap([ground for ground, _ in colours]), vmin=0, vmax=1,
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    for (i, j), value in np.ndenumerate(block.values):
        if np.isfinite(value):
            ink = colours[level(float(block.shades[i, j]))][1]
            ax.text(j, i, f"{value:.2f}"[1:] if 0 <= value < 1 else f"{value:.1f}", color=ink,
                    ha="center", va="center", fontsize=7.5)  # fmt: skip
    for i, j in block.missing:
        ax.text(j, i, "\u00d7", color=MUTED, ha="center", va="center")
    ax.set_xticks(
        range(len(block.columns)), block.columns, rotation=45, ha="left", rotation_mode="anchor"
    )
    ax.set_yticks(range(len(block.rows)), block.rows)
    ax.tick_params(top=True, bottom=False, labeltop=True, labelbottom=False, length=0)
    ax.spines[:].set_visible(False)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
