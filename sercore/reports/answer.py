"""The answer of a report in a few sentences: which backbone, how sure, where does it fail."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple

from sercore.evaluation.metrics import MEASURES
from sercore.evaluation.metrics import METRICS
from sercore.reports.cells import is_unsure
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import range_text
from sercore.statistics.intervals import NOTE_TEXTS
from sercore.statistics.intervals import Note
from sercore.statistics.sentences import smallest_difference

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Verdicts
    from sercore.results.reductions import Average
    from sercore.statistics.intervals import Interval
    from sercore.statistics.verdicts import CorporaComparison

_LOWER = frozenset(metric.id for metric in METRICS if metric.higher_is_better is False)
_MOST_NAMES = 4
_MOST_CLASSES = 2


class Answer(NamedTuple):
    """A question and the sentences that answer it."""

    question: str
    text: str


class _Leader(NamedTuple):
    """The backbone that is first by one average."""

    result: BackboneResult
    value: float
    interval: Interval | None

    @property
    def score(self) -> str:
        """Its value with its interval."""
        if self.interval is None:
            return number(self.value)
        return f"{number(self.value)} [{range_text(self.interval)}]"


def answers_of(group: ComparisonGroup, *, measured: bool = True) -> tuple[Answer, ...]:
    """Return what a reader wants to know first about a group of backbones.

    Args:
        group: the backbones.
        measured: whether intervals were computed as far as predictions are stored; False for the
            other metrics of a page.
    """
    inside = _leader(group, lambda result: result.reductions.in_domain, inside=True)
    outside = _leader(group, lambda result: result.out_of_domain, inside=False)
    leader = outside or inside
    if leader is None:
        return ()
    found = [
        Answer("Which backbone?", " ".join(_which(group, inside, outside))),
        Answer("How sure?", " ".join(_how_sure(group, leader, measured=measured))),
        Answer("Where does it fail?", " ".join(_where(group, leader.result, inside=not outside))),
    ]
    return tuple(answer for answer in found if answer.text)


def _leader(
    group: ComparisonGroup,
    average_of: Callable[[BackboneResult], Average | None],
    *,
    inside: bool,
) -> _Leader | None:
    found = []
    for result in group.backbones:
        average = average_of(result)
        if average is not None and average.mean is not None:
            around = result.intervals.in_domain if inside else result.intervals.out_of_domain
            found.append(_Leader(result, average.mean, around))
    sign = -1 if group.setting.metric in _LOWER else 1
    return max(found, key=lambda leader: sign * leader.value, default=None)


def _which(
    group: ComparisonGroup, inside: _Leader | None, outside: _Leader | None
) -> Iterator[str]:
    """Yield who is first, in domain and out of domain."""
    if group.refusal:
        yield f"The backbones are not ranked: {group.refusal}. By the cells that are there:"
    alone = len(group.backbones) == 1
    verb = "reaches" if alone else "leads with"
    metric = f"skill in {group.setting.metric}" if group.scale == "skill" else group.setting.metric
    if inside and outside and inside.result is outside.result:
        title = inside.result.title
        yield (
            f"By {metric}, {title} {verb} {inside.score} in domain and {outside.score} on corpora "
            "that its probes were not trained on."
        )
        return
    if outside:
        yield (
            f"By {metric}, {outside.result.title} {verb} {outside.score} on corpora that its "
            "probes were not trained on."
        )
    if inside:
        lead = "In domain" if outside else f"By {metric}, in domain"
        yield f"{lead} {inside.result.title} {verb} {inside.score}."


def _how_sure(group: ComparisonGroup, leader: _Leader, *, measured: bool) -> Iterator[str]:
    """Yield what the verdicts say about the first backbone."""
    if len(group.backbones) == 1:
        yield "There is one backbone, so nothing is compared."
    name = "in-domain" if leader.result.out_of_domain is None else "out-of-domain"
    verdicts = next((one for one in group.verdicts if one.average == name), None)
    if verdicts is not None:
        yield from _other_corpora(verdicts, leader.result.title)
        yield from _these_corpora(verdicts, leader.result.title)
    if group.setting.metric not in MEASURES:
        yield "There are no intervals for this metric."
    elif not measured:
        yield (
            "There are no intervals for this metric here; 'sercore report --metric "
            f"{group.setting.metric}' computes them."
        )
    elif leader.interval is None:
        yield "There are no intervals: the predictions of some cells are not stored."
    elif Note.ONE_PROBE in leader.interval.notes:
        yield f"Intervals hold {NOTE_TEXTS[Note.ONE_PROBE]}."
    else:
        yield "Brackets are 95 % intervals over speakers and seeds."


def _other_corpora(verdicts: Verdicts, title: str) -> Iterator[str]:
    comparison = verdicts.other_corpora
    if comparison is None:
        if verdicts.refusal:
            yield f"No verdict about other corpora: {verdicts.refusal}."
        return
    ties = _ties(comparison, title)
    rivals = len(comparison.backbones) - 1
    if ties:
        yield (
            f"On other corpora like these, {title} is not separable from "
            f"{_listed(ties)} ({len(ties)} of {plural(rivals, 'rival')})."
        )
    else:
        yield f"On other corpora like these, {title} is separable from all others."
    yield smallest_difference(comparison).partition(". ")[0] + "."


def _these_corpora(verdicts: Verdicts, title: str) -> Iterator[str]:
    own = [pair for pair in verdicts.these_corpora if title in (pair.first, pair.second)]
    if not own:
        return
    if any(pair.differs is None for pair in own):
        yield "On exactly these cells nothing is decided: fewer than three seeds."
        return
    differing = sum(bool(pair.differs) for pair in own)
    yield f"On exactly these cells it differs from {differing} of {plural(len(own), 'rival')}."


def _ties(comparison: CorporaComparison, title: str) -> list[str]:
    letters = {backbone.name: set(backbone.letters) for backbone in comparison.backbones}
    return [
        backbone.name
        for backbone in comparison.backbones
        if backbone.name != title and letters[backbone.name] & letters.get(title, set())
    ]


def _where(group: ComparisonGroup, result: BackboneResult, *, inside: bool) -> Iterator[str]:
    """Yield where the first backbone is weak."""
    lower = group.setting.metric in _LOWER
    if inside:
        values = {pair[0]: view.cell.value for pair, view in result.cells.items()}
        if len(values) > 1:
            yield f"{result.title} is weakest on {_worst(values, lower=lower)}."
    else:
        yield from _loss(group, result, lower=lower)
        tested, trained = _means(result, "columns"), _means(result, "rows")
        if len(tested) > 1:
            yield (
                f"It is weakest when it is tested on {_worst(tested, lower=lower)} and when it is "
                f"trained on {_worst(trained, lower=lower)}."
            )
    known = [view for view in result.cells.values() if view.cell.in_domain == inside]
    measured = [view for view in known if view.chance is not None and view.interval is not None]
    unsure = sum(map(is_unsure, measured))
    if measured:
        yield (
            f"{unsure} of {plural(len(measured), 'cell')} "
            f"{'is' if unsure == 1 else 'are'} not clearly above the best blind guess."
        )
    yield from _classes(result, inside=inside)


def _loss(group: ComparisonGroup, result: BackboneResult, *, lower: bool) -> Iterator[str]:
    average, inside = result.out_of_domain, result.reductions.in_domain.mean
    if average is None or average.mean is None or inside is None:
        return
    change = "rises" if (average.mean > inside) else "falls"
    text = (
        f"From in domain to out of domain {result.title} {change} from {number(inside)} to "
        f"{number(average.mean)}"
    )
    level = group.chance.out_of_domain
    if level is not None and not lower:
        text += f"; the best blind guess reaches {number(level.best_blind_guess)}"
    yield f"{text}."


def _means(result: BackboneResult, side: str) -> dict[str, float]:
    means, _ = result.means("columns" if side == "columns" else "rows")
    return {name: average.mean for name, average in means.items() if average.mean is not None}


def _worst(values: Mapping[str, float], *, lower: bool) -> str:
    name = (max if lower else min)(values, key=lambda name: values[name])
    return f"{name} ({number(values[name])})"


def _classes(result: BackboneResult, *, inside: bool) -> Iterator[str]:
    values = {
        name: value
        for name, found in result.class_f1.items()
        if (value := found.in_domain if inside else found.out_of_domain) is not None
    }
    worst = sorted(values, key=lambda name: values[name])[:_MOST_CLASSES]
    if len(values) > _MOST_CLASSES:
        listed = " and ".join(f"{name} ({number(values[name])})" for name in worst)
        yield f"The classes with the lowest F1 are {listed}."


def _listed(names: Sequence[str]) -> str:
    if len(names) > _MOST_NAMES:
        return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
