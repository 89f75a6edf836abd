"""Draw with matplotlib: SVG for the page, whose colours it follows, and PNG, SVG or PDF files."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from sercore.reports.colours import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, GRID = "#20262c", "#5f6b76", "#d9dfe4"

# The page replaces the colours above by its own, so that figures follow light and dark.
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    **{light: f"var(--s{index})" for index, (light, _) in enumerate(SERIES)},
}

STYLE: Any = {
    "font.size": 9.0,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "ytick.major.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "sercore",
    "pdf.fonttype": 42,
    "text.parse_math": False,  # names of checkpoints and corpora are not formulas
}


@dataclass
class Drawing:
    """A figure, and the tooltips of its marks."""

    name: str
    """Stem of its file names."""
    title: str
    alt: str
    """Description for readers who cannot see it."""
    figure: Figure
    tips: dict[str, str] = field(default_factory=dict)
    """By the group id of a mark."""

    def mark(self, axes: Axes, x: float, y: float, tip: str, **style: Any) -> None:
        """Draw one mark with a tooltip."""
        gid = f"mark{len(self.tips)}"
        self.tips[gid] = tip
        axes.plot([x], [y], gid=gid, linestyle="none", **style)


@mpl.rc_context(STYLE)
def file_of(drawing: Drawing, kind: str) -> bytes:
    """Return a figure as ``png`` (200 dots per inch), ``svg`` or ``pdf``, on white."""
    dated = {"svg": "Date", "pdf": "CreationDate"}
    metadata = {dated[kind]: None} if kind in dated else {"Software": "sercore"}
    buffer = io.BytesIO()
    drawing.figure.savefig(
        buffer, format=kind, dpi=200, metadata=metadata, facecolor="white", bbox_inches="tight"
    )
    return buffer.getvalue()


@mpl.rc_context(STYLE)
def inline_svg(drawing: Drawing) -> str:
    """Return a figure as SVG for the page: its colours follow the page, its marks have tooltips."""
    from markupsafe import escape

    buffer = io.StringIO()
    FigureCanvasSVG(drawing.figure)
    drawing.figure.savefig(
        buffer, format="svg", transparent=True, metadata={"Date": None}, bbox_inches="tight"
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # A page has several figures, so every id starts with the name of its figure.
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


def new_drawing(name: str, title: str, size: tuple[float, float]) -> Drawing:
    """Return an empty figure. Its size is in inches."""
    return Drawing(name, title, "", Figure(figsize=size, layout="constrained"))
