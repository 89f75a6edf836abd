"""The figures of a report."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Literal

import matplotlib as mpl

from sercore.published import PAPER
from sercore.reports.colours import MARKERS
from sercore.reports.colours import SERIES
from sercore.reports.drawing import GRID
from sercore.reports.drawing import MUTED
from sercore.reports.drawing import STYLE
from sercore.reports.drawing import new_drawing
from sercore.reports.heat_maps import classes
from sercore.reports.heat_maps import matrix
from sercore.results.text import interval_text
from sercore.results.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sercore.reports.drawing import Drawing
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Side
    from sercore.statistics.chance import Chance
    from sercore.statistics.intervals import Interval
    from sercore.statistics.ranks import Comparison

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
        f"Averages per backbone (as Table 3 of {PAPER})",
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
    title = f"Out-of-domain mean by {kind} corpus (as Figure {figure} of {PAPER})"
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
