"""The figures of a report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap

from sercore.reports.colours import GAMMA
from sercore.reports.colours import MARKERS
from sercore.reports.colours import SERIES
from sercore.reports.colours import heat_colours
from sercore.reports.colours import level
from sercore.reports.drawing import GRID
from sercore.reports.drawing import MUTED
from sercore.reports.drawing import STYLE
from sercore.reports.drawing import new_drawing
from sercore.results.text import interval_text
from sercore.results.text import number

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from sercore.reports.drawing import Drawing
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Side
    from sercore.statistics.chance import Chance
    from sercore.statistics.intervals import Interval
    from sercore.statistics.ranks import Comparison

    Values = npt.NDArray[np.float64]

Domain = Literal["in-domain", "out-of-domain"]


def drawings(group: ComparisonGroup) -> Iterator[Drawing]:
    """Yield the figures of a group, as far as it has the numbers for them."""
    yield overview(group)
    if group.has_out_of_domain:
        yield by_corpus(group, "rows")
        yield by_corpus(group, "columns")
    for verdicts in group.verdicts:
        if verdicts.ranks is not None:
            yield ranks(group, verdicts.ranks, verdicts.average)
    for result in group.backbones:
        yield matrix(group, result)
    if any(result.class_f1 for result in group.backbones):
        yield classes(group)


@mpl.rc_context(STYLE)
def overview(group: ComparisonGroup) -> Drawing:
    """Draw the averages of all backbones with intervals, chance and the numbers of the paper."""
    results = list(reversed(group.backbones))
    domains: list[Domain] = ["in-domain"]
    if group.has_out_of_domain:
        domains.append("out-of-domain")
    drawing = new_drawing(
        f"{group.id}-averages",
        "Averages per backbone (as Table 3 of the paper)",
        (7.2, 0.9 + 0.36 * len(results)),
    )
    axes = drawing.figure.subplots(1, len(domains), sharey=True, squeeze=False)[0]
    for domain, ax in zip(domains, axes, strict=True):
        inside = domain == "in-domain"
        _chance_line(ax, group.chance.in_domain if inside else group.chance.out_of_domain)
        for y, result in enumerate(results):
            _overview_marks(drawing, ax, y, result, domain, _color(group, result))
        ax.set_title(domain, loc="left", fontsize=9.5, pad=16)
        ax.set_xlabel(group.setting.metric)
        ax.grid(visible=True, axis="x")
        ax.margins(x=0.08)
    axes[0].set_yticks(range(len(results)), [result.title for result in results])
    axes[0].set_ylim(-0.5, len(results) - 0.5)
    drawing.alt = "Dot plot. " + " ".join(map(_overview_sentence, group.backbones))
    return drawing


@mpl.rc_context(STYLE)
def by_corpus(group: ComparisonGroup, side: Side) -> Drawing:
    """Draw the out-of-domain means by train corpus (``rows``) or by test corpus (``columns``)."""
    figure, kind = (2, "training") if side == "rows" else (3, "test")
    title = f"Out-of-domain mean by {kind} corpus (as Figure {figure} of the paper)"
    corpora = list(reversed(group.clusters[0]))
    height = 1.1 + len(corpora) * max(0.36, 0.075 * len(group.backbones))
    drawing = new_drawing(f"{group.id}-by-{kind}-corpus", title, (7.2, height))
    ax = drawing.figure.subplots()
    spread = 0.76 / max(len(group.backbones), 1)
    for index, result in enumerate(group.backbones):
        if result.out_of_domain is not None:
            offset = 0.38 - spread * (index + 0.5)
            marker = MARKERS[index % len(MARKERS)]
            _corpus_marks(drawing, ax, result, side, corpora, offset, marker, _color(group, result))
    for edge in range(1, len(corpora)):
        ax.axhline(edge - 0.5, color=GRID, linewidth=0.6)
    _chance_line(ax, group.chance.out_of_domain)
    ax.set_yticks(range(len(corpora)), corpora)
    ax.set_ylim(-0.5, len(corpora) - 0.5)
    ax.set_xlabel(f"mean {group.setting.metric}")
    ax.grid(visible=True, axis="x")
    _legend(drawing, ax, len(group.backbones), height)
    drawing.alt = (
        f"Dot plot, one row per corpus, one mark per backbone. {title}; the table has the numbers."
    )
    return drawing


@mpl.rc_context(STYLE)
def ranks(group: ComparisonGroup, comparison: Comparison, domain: str) -> Drawing:
    """Draw mean ranks over corpora with their intervals."""
    found = list(reversed(comparison.ranks))
    results = {result.title: result for result in group.backbones}
    drawing = new_drawing(
        f"{group.id}-ranks-{domain}",
        f"Mean rank over {comparison.n_corpora} corpora, {domain}",
        (7.2, 0.9 + 0.3 * len(found)),
    )
    ax = drawing.figure.subplots()
    for y, rank in enumerate(found):
        result = results[rank.name]
        colour = _color(group, result)
        ax.plot([rank.low, rank.high], [y, y], color=colour, linewidth=2, solid_capstyle="round")
        tip = f"{result.title}\nmean rank {rank.rank:.2f} [{rank.low:.2f}, {rank.high:.2f}]"
        drawing.mark(ax, rank.rank, y, tip, color=colour, marker="o", markersize=6)
    ax.set_yticks(range(len(found)), [results[rank.name].title for rank in found])
    ax.set_ylim(-0.5, len(found) - 0.5)
    ax.set_xlabel("mean rank (1 is best)")
    ax.set_xlim(0.8, len(found) + 0.2)
    ax.grid(visible=True, axis="x")
    drawing.alt = "Dot plot. " + " ".join(
        f"{results[rank.name].title}: mean rank {rank.rank:.2f}." for rank in comparison.ranks
    )
    return drawing


@mpl.rc_context(STYLE)
def matrix(group: ComparisonGroup, result: BackboneResult) -> Drawing:
    """Draw the matrix of one backbone."""
    pairs = [*result.matrix.cells, *result.matrix.missing]
    names = sorted({name for pair in pairs for name in pair})
    values = np.full((len(names), len(names)), np.nan)
    skills = np.full_like(values, np.nan)
    for (train, test), view in result.cells.items():
        values[names.index(train), names.index(test)] = view.cell.value
        skills[names.index(train), names.index(test)] = view.skill
    drawing = _heat_map(
        f"{group.id}-matrix-{_slug(' '.join((result.backbone, *result.details)))}",
        f"{result.title}: {group.setting.metric}, train in rows, test in columns",
        values,
        names,
        names,
        skills,
    )
    for train, test in result.matrix.missing:
        drawing.figure.axes[0].text(
            names.index(test), names.index(train), "\u00d7", color=MUTED, ha="center", va="center"
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
    drawing = _heat_map(
        f"{group.id}-classes",
        "Mean F1 of each class, in domain and out of domain",
        values,
        [result.title for result in group.backbones],
        columns,
    )
    drawing.alt = (
        "Heat map, one row per backbone, two columns per class; the table has the numbers."
    )
    return drawing


def _overview_marks(
    drawing: Drawing, ax: Axes, y: int, result: BackboneResult, domain: Domain, colour: str
) -> None:
    inside = domain == "in-domain"
    average = result.reductions.in_domain if inside else result.out_of_domain
    if average is None or average.mean is None:
        return
    interval = result.intervals.in_domain if inside else result.intervals.out_of_domain
    tip = f"{result.title}\n{domain} mean {number(average.mean)} ({average.coverage})"
    if average.sd is not None:
        tip += f", deviation {number(average.sd)}"
    _whisker(ax, y, interval, colour)
    tip += _interval_tip(interval)
    drawing.mark(ax, average.mean, y, tip, color=colour, marker="o", markersize=6)
    if result.published is not None:
        paper = result.published.id_mean if inside else result.published.ood_mean
        drawing.mark(
            ax, paper, y, f"{result.title}\npaper: {domain} mean {number(paper)}",
            markerfacecolor="none", markeredgecolor=MUTED, marker="D", markersize=5,
        )  # fmt: skip


def _overview_sentence(result: BackboneResult) -> str:
    text = f"{result.title}: in-domain mean {number(result.reductions.in_domain.mean)}"
    if result.out_of_domain is not None:
        text += f", out-of-domain mean {number(result.out_of_domain.mean)}"
    return f"{text}."


def _corpus_marks(
    drawing: Drawing,
    ax: Axes,
    result: BackboneResult,
    side: Side,
    corpora: Sequence[str],
    offset: float,
    marker: str,
    colour: str,
) -> None:
    averages, intervals = result.means(side)
    verb = "trained on" if side == "rows" else "tested on"
    for place, name in enumerate(corpora):
        average = averages.get(name)
        if average is None or average.mean is None:
            continue
        y = place + offset
        _whisker(ax, y, intervals.get(name), colour)
        tip = f"{result.title}\n{verb} {name}: {number(average.mean)} ({average.coverage} cells)"
        tip += _interval_tip(intervals.get(name))
        drawing.mark(ax, average.mean, y, tip, color=colour, marker=marker, markersize=4.5)
    ax.plot([], [], color=colour, marker=marker, linestyle="none", label=result.title)


def _heat_map(
    name: str,
    title: str,
    values: Values,
    rows: Sequence[str],
    columns: Sequence[str],
    shades: Values | None = None,
) -> Drawing:
    """Draw values on a scale from 0 to 1; ``shades`` are coloured in their place."""
    shades = values if shades is None else shades
    # Names need room beside and above the cells.
    beside = 0.075 * max(map(len, rows), default=0)
    above = 0.075 * max(map(len, columns), default=0)
    size = (max(1.8, 0.7 + beside) + 0.46 * len(columns), max(1.3, 0.5 + above) + 0.32 * len(rows))
    drawing = new_drawing(name, title, size)
    ax = drawing.figure.subplots()
    colours = heat_colours(dark=False)
    shown = np.ma.masked_invalid(np.clip(shades, 0, 1) ** GAMMA)
    ax.imshow(
        shown, cmap=ListedColormap([ground for ground, _ in colours]), vmin=0, vmax=1,
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = colours[level(float(shades[i, j]))][1]
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
    ax.axvline(chance.best_blind_guess, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    ax.annotate(
        "chance", (chance.best_blind_guess, 1.0), xycoords=("data", "axes fraction"), fontsize=7.5,
        color=MUTED, xytext=(3, 1), textcoords="offset points", va="bottom",
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


def _color(group: ComparisonGroup, result: BackboneResult) -> str:
    titles = sorted(other.title for other in group.backbones)
    return SERIES[titles.index(result.title) % len(SERIES)][0]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
