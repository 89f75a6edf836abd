"""Figures of a report, drawn by matplotlib: for the page (SVG) and as files (PNG, SVG, PDF)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from sercore.reports.colours import GAMMA
from sercore.reports.colours import MARKERS
from sercore.reports.colours import SERIES
from sercore.reports.colours import heat_colours
from sercore.reports.colours import level
from sercore.results.text import interval_text
from sercore.results.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sercore.evaluation.statistics import Chance
    from sercore.evaluation.statistics import Interval
    from sercore.reports.views import Family
    from sercore.reports.views import Row
    from sercore.statistics.ranks import Comparison

_INK, _MUTED, _GRID = "#20262c", "#5f6b76", "#d9dfe4"

# What the page puts in place of the colours above, so that figures follow light and dark.
_VARIABLES = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _GRID: "var(--line)",
    **{light: f"var(--s{index})" for index, (light, _) in enumerate(SERIES)},
}

_STYLE: Any = {
    "font.size": 9.0,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": _MUTED,
    "ytick.color": _INK,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _INK,
    "ytick.major.size": 0,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "sercore",
    "pdf.fonttype": 42,
    "text.parse_math": False,  # names of checkpoints and corpora are not formulas
}


@dataclass
class Drawing:
    """A figure with what its marks say."""

    name: str
    """Stem of its files."""
    title: str
    alt: str
    """What a reader who cannot see it should know."""
    figure: Figure
    tips: dict[str, str] = field(default_factory=dict)
    """By the group id of a mark."""

    def mark(self, axes: Axes, x: float, y: float, tip: str, **style: Any) -> None:
        """Draw one mark that says something."""
        gid = f"mark{len(self.tips)}"
        self.tips[gid] = tip
        axes.plot([x], [y], gid=gid, linestyle="none", **style)


def drawings(family: Family) -> Iterator[Drawing]:
    """Yield the figures of a family that its data allow."""
    yield overview(family)
    if any(row.reductions.out_of_domain for row in family.rows):
        yield by_corpus(family, "rows")
        yield by_corpus(family, "columns")
    for which, comparison in (
        ("in-domain", family.in_domain_comparison),
        ("out-of-domain", family.out_of_domain_comparison),
    ):
        if comparison is not None:
            yield ranks(family, comparison, which)
    for row in family.rows:
        yield matrix(family, row)
    if any(row.class_f1 for row in family.rows):
        yield classes(family)


@mpl.rc_context(_STYLE)
def overview(family: Family) -> Drawing:
    """Draw Table 3: in-domain and out-of-domain means with intervals, chance and the paper's."""
    rows = list(reversed(family.rows))
    sides = ["in-domain"]
    if any(row.reductions.out_of_domain for row in rows):
        sides.append("out-of-domain")
    drawing = _drawing(
        f"{family.id}-table-3", "Table 3: averages per backbone", (7.2, 0.9 + 0.36 * len(rows))
    )
    axes = drawing.figure.subplots(1, len(sides), sharey=True, squeeze=False)[0]
    for which, ax in zip(sides, axes, strict=True):
        inside = which == "in-domain"
        _chance_line(ax, family.chance.in_domain if inside else family.chance.out_of_domain)
        for y, row in enumerate(rows):
            outside = row.reductions.out_of_domain
            average = row.reductions.in_domain if inside else outside.average if outside else None
            if average is None or average.mean is None:
                continue
            interval = row.in_domain if inside else row.out_of_domain
            tip = f"{row.title}\n{which} mean {number(average.mean)} ({average.coverage})"
            if average.sd is not None:
                tip += f", deviation {number(average.sd)}"
            _whisker(ax, y, interval, _color(family, row))
            drawing.mark(
                ax, average.mean, y, tip + _interval_tip(interval), color=_color(family, row),
                marker="o", markersize=6,
            )  # fmt: skip
            if row.published is not None:
                paper = row.published.id_mean if inside else row.published.ood_mean
                drawing.mark(
                    ax, paper, y, f"{row.title}\npaper: {which} mean {number(paper)}",
                    markerfacecolor="none", markeredgecolor=_MUTED, marker="D", markersize=5,
                )  # fmt: skip
        ax.set_title(which, loc="left", fontsize=9.5, pad=16)
        ax.set_xlabel(family.setting.metric)
    axes[0].set_yticks(range(len(rows)), [row.title for row in rows])
    axes[0].set_ylim(-0.5, len(rows) - 0.5)
    for ax in axes:
        ax.grid(visible=True, axis="x")
        ax.margins(x=0.08)
    drawing.alt = "Dot plot. " + " ".join(
        f"{row.title}: in-domain mean {number(row.reductions.in_domain.mean)}"
        + (
            f", out-of-domain mean {number(row.reductions.out_of_domain.average.mean)}."
            if row.reductions.out_of_domain
            else "."
        )
        for row in family.rows
    )
    return drawing


@mpl.rc_context(_STYLE)
def by_corpus(family: Family, which: str) -> Drawing:
    """Draw Figure 2 (`which` is ``rows``) or Figure 3 (``columns``)."""
    rows_side = which == "rows"
    title = (
        "Figure 2: out-of-domain mean by training corpus"
        if rows_side
        else "Figure 3: out-of-domain mean by test corpus"
    )
    corpora = list(reversed(family.clusters[0]))
    height = 1.1 + len(corpora) * max(0.36, 0.075 * len(family.rows))
    drawing = _drawing(f"{family.id}-figure-{2 if rows_side else 3}", title, (7.2, height))
    ax = drawing.figure.subplots()
    spread = 0.76 / max(len(family.rows), 1)
    for index, row in enumerate(family.rows):
        outside = row.reductions.out_of_domain
        if outside is None:
            continue
        averages = outside.rows if rows_side else outside.columns
        intervals = row.trained_on if rows_side else row.tested_on
        colour = _color(family, row)
        for place, name in enumerate(corpora):
            average = averages.get(name)
            if average is None or average.mean is None:
                continue
            y = place + 0.38 - spread * (index + 0.5)
            _whisker(ax, y, intervals.get(name), colour)
            verb = "trained on" if rows_side else "tested on"
            tip = f"{row.title}\n{verb} {name}: {number(average.mean)} ({average.coverage} cells)"
            drawing.mark(
                ax, average.mean, y, tip + _interval_tip(intervals.get(name)), color=colour,
                marker=MARKERS[index % len(MARKERS)], markersize=4.5,
            )  # fmt: skip
        ax.plot([], [], color=colour, marker=MARKERS[index % len(MARKERS)], linestyle="none",
                label=row.title)  # fmt: skip
    for edge in range(1, len(corpora)):
        ax.axhline(edge - 0.5, color=_GRID, linewidth=0.6)
    _chance_line(ax, family.chance.out_of_domain)
    ax.set_yticks(range(len(corpora)), corpora)
    ax.set_ylim(-0.5, len(corpora) - 0.5)
    ax.set_xlabel(f"mean {family.setting.metric}")
    ax.grid(visible=True, axis="x")
    _legend(drawing, ax, len(family.rows), height)
    drawing.alt = (
        f"Dot plot, one row a corpus, one mark a backbone. {title}; the numbers stand in the table."
    )
    return drawing


@mpl.rc_context(_STYLE)
def ranks(family: Family, comparison: Comparison, which: str) -> Drawing:
    """Draw mean ranks over corpora with their intervals."""
    found = list(reversed(comparison.ranks))
    titles = {row.backbone: row for row in family.rows}
    drawing = _drawing(
        f"{family.id}-ranks-{which}",
        f"Mean rank over {comparison.n_corpora} corpora, {which}",
        (7.2, 0.9 + 0.3 * len(found)),
    )
    ax = drawing.figure.subplots()
    for y, each in enumerate(found):
        row = titles[each.name]
        colour = _color(family, row)
        ax.plot([each.low, each.high], [y, y], color=colour, linewidth=2, solid_capstyle="round")
        tip = f"{row.title}\nmean rank {each.rank:.2f} [{each.low:.2f}, {each.high:.2f}]"
        drawing.mark(ax, each.rank, y, tip, color=colour, marker="o", markersize=6)
    ax.set_yticks(range(len(found)), [titles[each.name].title for each in found])
    ax.set_ylim(-0.5, len(found) - 0.5)
    ax.set_xlabel("mean rank (1 is best)")
    ax.set_xlim(0.8, len(found) + 0.2)
    ax.grid(visible=True, axis="x")
    drawing.alt = "Dot plot. " + " ".join(
        f"{titles[each.name].title}: mean rank {each.rank:.2f}." for each in comparison.ranks
    )
    return drawing


@mpl.rc_context(_STYLE)
def matrix(family: Family, row: Row) -> Drawing:
    """Draw the matrix of one backbone."""
    pairs = [*row.matrix.cells, *row.matrix.missing]
    names = sorted({name for pair in pairs for name in pair})
    values = np.full((len(names), len(names)), np.nan)
    for (train, test), view in row.cells.items():
        values[names.index(train), names.index(test)] = view.cell.value
    drawing = _heat_map(
        f"{family.id}-matrix-{_slug(row.backbone)}",
        f"{row.title}: {family.setting.metric}, train in rows, test in columns",
        values,
        names,
        names,
    )
    for train, test in row.matrix.missing:
        drawing.figure.axes[0].text(
            names.index(test), names.index(train), "\u00d7", color=_MUTED, ha="center", va="center"
        )
    average = row.reductions.in_domain
    drawing.alt = (
        f"Heat map of {len(row.cells)} cells of {row.title}; in-domain mean "
        f"{number(average.mean)} ({average.coverage})."
    )
    return drawing


@mpl.rc_context(_STYLE)
def classes(family: Family) -> Drawing:
    """Draw the F1 of each class per backbone, in and out of domain."""
    names = list(dict.fromkeys(name for row in family.rows for name in row.class_f1))
    columns = [f"{name}, {side}" for name in names for side in ("in", "out")]
    values = np.full((len(family.rows), len(columns)), np.nan)
    for index, row in enumerate(family.rows):
        for place, name in enumerate(names):
            for side, value in enumerate(row.class_f1.get(name, (None, None))):
                if value is not None:
                    values[index, 2 * place + side] = value
    drawing = _heat_map(
        f"{family.id}-classes",
        "Mean F1 of each class, in domain and out of domain",
        values,
        [row.title for row in family.rows],
        columns,
    )
    drawing.alt = "Heat map, one row a backbone, two columns a class; the numbers are in the table."
    return drawing


@mpl.rc_context(_STYLE)
def file_of(drawing: Drawing, kind: str) -> bytes:
    """Return a figure as ``png`` (200 dots per inch), ``svg`` or ``pdf``, on white."""
    dated = {"svg": "Date", "pdf": "CreationDate"}
    metadata = {dated[kind]: None} if kind in dated else {"Software": "sercore"}
    buffer = io.BytesIO()
    drawing.figure.savefig(
        buffer, format=kind, dpi=200, metadata=metadata, facecolor="white", bbox_inches="tight"
    )
    return buffer.getvalue()


@mpl.rc_context(_STYLE)
def inline_svg(drawing: Drawing) -> str:
    """Return a figure as SVG for the page: its colours follow the page, its marks have tips."""
    from markupsafe import escape

    buffer = io.StringIO()
    FigureCanvasSVG(drawing.figure)
    drawing.figure.savefig(
        buffer, format="svg", transparent=True, metadata={"Date": None}, bbox_inches="tight"
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Several figures stand on one page, so every id carries the figure's name.
    text = re.sub(r'(\bid="|href="#|url\(#)', lambda found: f"{found[0]}{drawing.name}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)
    for gid, tip in drawing.tips.items():
        text = text.replace(
            f'<g id="{drawing.name}-{gid}">',
            f'<g id="{drawing.name}-{gid}" class="mark" tabindex="0" role="img" '
            f'aria-label="{escape(tip.replace(chr(10), ", "))}" data-tip="{escape(tip)}">',
        )
    width, height = re.findall(r'(?:width|height)="([\d.]+)pt"', text)[:2]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head = (
        f'<svg class="figure" role="group" aria-label="{escape(drawing.alt)}" '
        f'style="--w:{float(width) * 4 / 3:.0f}px" viewBox="0 0 {width} {height}" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + text[text.index(">") + 1 :]


def _drawing(name: str, title: str, size: tuple[float, float]) -> Drawing:
    return Drawing(name, title, "", Figure(figsize=size, layout="constrained"))


def _heat_map(
    name: str, title: str, values: Any, rows: Sequence[str], columns: Sequence[str]
) -> Drawing:
    # Names take room beside and above the cells, which would collapse without it.
    beside = 0.075 * max(map(len, rows), default=0)
    above = 0.075 * max(map(len, columns), default=0)
    size = (max(1.8, 0.7 + beside) + 0.46 * len(columns), max(1.3, 0.5 + above) + 0.32 * len(rows))
    drawing = _drawing(name, title, size)
    ax = drawing.figure.subplots()
    colours = heat_colours(dark=False)
    shown = np.ma.masked_invalid(values**GAMMA)
    ax.imshow(
        shown, cmap=ListedColormap([ground for ground, _ in colours]), vmin=0, vmax=1,
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = colours[level(float(value))][1]
            ax.text(j, i, f"{value:.2f}"[1:] if 0 <= value < 1 else f"{value:.1f}", color=ink,
                    ha="center", va="center", fontsize=7.5)  # fmt: skip
    ax.set_xticks(range(len(columns)), columns, rotation=45, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(top=True, bottom=False, labeltop=True, labelbottom=False, length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title, loc="left", fontsize=9.5)
    return drawing


def _chance_line(ax: Axes, chance: Chance | None) -> None:
    if chance is None:
        return
    ax.axvline(chance.random, color=_MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    ax.annotate(
        "chance", (chance.random, 1.0), xycoords=("data", "axes fraction"), fontsize=7.5,
        color=_MUTED, xytext=(3, 1), textcoords="offset points", va="bottom",
    )  # fmt: skip


def _whisker(ax: Axes, y: float, interval: Interval | None, colour: str) -> None:
    if interval is not None:
        ax.plot([interval.low, interval.high], [y, y], color=colour, linewidth=1.4, alpha=0.75,
                solid_capstyle="round")  # fmt: skip


def _legend(drawing: Drawing, ax: Axes, entries: int, height: float) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if entries:
        drawing.figure.legend(
            handles, labels, loc="outside upper left", ncols=min(3, entries), fontsize=8,
            handletextpad=0.2, columnspacing=1.0,
        )  # fmt: skip
    drawing.figure.set_figheight(height + 0.2 * (1 + (entries - 1) // 3))


def _interval_tip(interval: Interval | None) -> str:
    return f"\n{interval_text(interval)}" if interval is not None else ""


def _color(family: Family, row: Row) -> str:
    names = sorted(each.backbone for each in family.rows)
    return SERIES[names.index(row.backbone) % len(SERIES)][0]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
