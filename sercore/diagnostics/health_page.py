"""The audio of all corpora as one HTML page that loads nothing: what to know before using them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING

from sercore.__about__ import __version__
from sercore.corpora.problems import Severity
from sercore.corpora.problems import summarized
from sercore.reports.write import require_libraries as require_for_formats
from sercore.results.text import date_text
from sercore.results.text import plural

if TYPE_CHECKING:
    from markupsafe import Markup

    from sercore.diagnostics.corpus_check import CorpusCheck
    from sercore.diagnostics.health import Health
    from sercore.diagnostics.health import Outlier
    from sercore.diagnostics.health import Spread
    from sercore.reports.drawing import Drawing

_GOOD = "good"
"""The severity of good news: the audio is that of the published copy."""
_MOST_OUTLIERS = 30
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One sentence with its severity."""

    severity: str
    """One of `Severity`, or ``good``."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFigure:
    """A figure with its caption."""

    title: str
    svg: Markup
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCorpus:
    """The section of one corpus."""

    id: str
    title: str
    verdict: str
    place: str
    remarks: tuple[Remark, ...]
    """The most severe first."""
    facts: tuple[tuple[str, str], ...]
    cells: tuple[str, ...]
    """Its row in the overview, after the name."""
    figures: tuple[PageFigure, ...]
    outliers: tuple[Outlier, ...]
    n_outliers: int

    @property
    def n_warnings(self) -> int:
        """Remarks that are neither notes nor good news."""
        return sum(remark.severity not in (Severity.NOTE, _GOOD) for remark in self.remarks)


COLUMNS = ("verdict", "recordings", "hours", "rate", "length", "loudness", "clipped", "outliers")
"""Columns of the overview after the name of the corpus."""


def require_libraries() -> None:
    """Check that the libraries of the page are installed.

    Raises:
        SettingsError: a library is missing.
    """
    require_for_formats(("html", "svg"))


def health_page(checks: Iterable[CorpusCheck]) -> str:
    """Return the page about all corpora whose recordings were decoded."""
    from jinja2 import Environment
    from jinja2 import StrictUndefined
    from markupsafe import Markup

    from sercore.reports.page_parts import script
    from sercore.reports.page_parts import style_sheet

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    own = files("sercore.diagnostics") / "templates"
    corpora = [_corpus(check, check.health) for check in checks if check.health is not None]
    page = environment.from_string((own / "health.html").read_text(encoding="utf-8"))
    # Style and script are the program's own texts; the template escapes what comes from a corpus.
    return page.render(
        title=corpora[0].title if len(corpora) == 1 else "Audio of the corpora",
        subtitle=_subtitle(corpora, checks),
        corpora=corpora,
        columns=COLUMNS,
        most_outliers=_MOST_OUTLIERS,
        version=__version__,
        css=Markup(style_sheet() + (own / "health.css").read_text(encoding="utf-8")),  # noqa: S704
        js=Markup(script("common.js")),  # noqa: S704
    )


def _subtitle(corpora: Sequence[PageCorpus], checks: Iterable[CorpusCheck]) -> str:
    heard = [check.health for check in checks if check.health is not None]
    parts = (
        plural(len(corpora), "corpus"),
        plural(sum(health.recordings for health in heard), "recording"),
        f"{sum(health.hours for health in heard):.1f} hours",
        date_text(datetime.now(UTC).isoformat()),
    )
    return " · ".join(parts)


def _corpus(check: CorpusCheck, health: Health) -> PageCorpus:
    return PageCorpus(
        id=check.id,
        title=check.title,
        verdict=check.verdict,
        place=str(check.root),
        remarks=tuple(_remarks(check, health)),
        facts=tuple(_facts(check, health)),
        cells=(
            check.verdict,
            str(health.recordings),
            f"{health.hours:.1f}",
            _joined(health.rates, "Hz", " or "),
            f"{health.spreads['duration_s'].median:.1f} s",
            f"{health.spreads['level_db'].median:.0f} dBFS",
            str(health.clipped),
            str(len(health.outliers)),
        ),
        figures=tuple(_figures(check.id, health)),
        outliers=health.outliers[:_MOST_OUTLIERS],
        n_outliers=len(health.outliers),
    )


def _remarks(check: CorpusCheck, health: Health) -> list[Remark]:
    """Return problems, findings and identity, the most severe first."""
    remarks = [
        Remark(severity=problem.severity, text=_sentence(str(problem), check.id))
        for problem in list(summarized(check.problems))[:_MOST_PROBLEMS]
    ]
    remarks += [Remark(severity=one.severity, text=one.text) for one in health.findings]
    remarks += [
        Remark(
            severity=_GOOD if identity.is_same else Severity.NOTE,
            text=_sentence(str(identity), check.id),
        )
        for identity in check.identity
        if identity.problem is None
    ]
    order = [_GOOD, *list(Severity)[::-1]]
    return sorted(remarks, key=lambda remark: order.index(remark.severity))


def _sentence(text: str, corpus: str) -> str:
    """Return a message without the name of the corpus before it, with a capital."""
    bare = text.removeprefix(f"{corpus}: ")
    return bare[:1].upper() + bare[1:]


def _facts(check: CorpusCheck, health: Health) -> list[tuple[str, str]]:
    lengths, levels = health.spreads["duration_s"], health.spreads["level_db"]
    silence = health.silent_hours / health.hours if health.hours else 0.0
    return [
        ("Folder", str(check.root)),
        ("Recordings", f"{health.recordings} of {check.utterances}, {health.hours:.2f} hours"),
        ("Sampling rate", _joined(health.rates, "Hz")),
        ("Channels", _joined(health.channels, "")),
        ("Length", f"{_range(lengths, 2)} s"),
        ("Loudness", f"{_range(levels, 0)} dBFS"),
        ("Silence at the ends", f"{silence:.1%} of the audio"),
        ("Clipped", plural(health.clipped, "recording")),
        ("Zeros at an end", plural(health.padded, "recording")),
    ]


def _joined(counts: dict[int, int] | object, unit: str, between: str = ", ") -> str:
    assert isinstance(counts, dict)
    if len(counts) == 1:
        return f"{next(iter(counts))} {unit}".rstrip()
    if between != ", ":
        return between.join(map(str, counts)) + f" {unit}"
    return between.join(f"{n} with {value} {unit}".rstrip() for value, n in counts.items())


def _range(spread: Spread, digits: int) -> str:
    low, middle, high = (
        f"{value:.{digits}f}" for value in (spread.low, spread.median, spread.high)
    )
    return f"median {middle}, 90 % between {low} and {high}"


def _figures(corpus: str, health: Health) -> list[PageFigure]:
    from sercore.diagnostics.health_figures import by_class
    from sercore.diagnostics.health_figures import by_speaker

    caption = (
        "Dots are medians, thick lines hold half of the recordings, thin lines 90 %. Classes that "
        "do not overlap can be told apart without listening to the voice."
    )
    figures = [_figure(by_class(corpus, health), caption)]
    drawing = by_speaker(corpus, health)
    if drawing is not None:
        figures.append(
            _figure(drawing, "A probe that knows a speaker's loudness may not know the emotion.")
        )
    return figures


def _figure(drawing: Drawing, caption: str) -> PageFigure:
    from markupsafe import Markup

    from sercore.reports.drawing import inline_svg

    # Its texts are escaped where it is made.
    return PageFigure(
        title=drawing.title,
        svg=Markup(inline_svg(drawing)),  # noqa: S704
        caption=caption,
    )
