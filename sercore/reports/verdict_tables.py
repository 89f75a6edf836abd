"""Tables and sentences about which backbone is better, one scope a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sercore.reports.tables import PlainTable
from sercore.reports.tables import SortableText
from sercore.reports.tables import names
from sercore.results.text import interval_ends
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import signed
from sercore.statistics.ranks import WARNING
from sercore.statistics.ranks import wilcoxon_warning
from sercore.statistics.sentences import on_other_corpora
from sercore.statistics.sentences import on_these_corpora
from sercore.statistics.sentences import smallest_difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Verdicts
    from sercore.statistics.paired import PairedVerdict
    from sercore.statistics.ranks import Comparison
    from sercore.statistics.ranks import PairedTest
    from sercore.statistics.verdicts import CorporaComparison
    from sercore.statistics.verdicts import PairVerdict

_ALPHA = 0.05
_WHERE = {
    "in-domain": "in domain",
    "out-of-domain": "out of domain",
    "weighted": "weighted average",
}
_UNDECIDED = "not decided: fewer than three seeds"


def verdict_tables(group: ComparisonGroup) -> Iterator[PlainTable]:
    """Yield what is known about which backbone is better: other corpora first, then these."""
    for verdicts in group.verdicts:
        where = _WHERE[verdicts.average]
        if verdicts.other_corpora is not None:
            yield _ranking(where, verdicts.other_corpora)
            yield _pairs(where, verdicts.other_corpora)
        elif verdicts.refusal is not None:
            yield PlainTable(
                title=f"Other corpora like these, {where}",
                text=f"No verdict: {verdicts.refusal}.",
                columns=(),
                lines=(),
            )
        if verdicts.these_corpora:
            yield _these(where, verdicts)
        if verdicts.ranks is not None:
            yield _rank_tests(where, verdicts.ranks, rows=verdicts.average == "out-of-domain")


def _ranking(where: str, comparison: CorporaComparison) -> PlainTable:
    text = (
        "Corpora are taken for a sample of others like them. Backbones that share a letter are not "
        f"separable, judged together at {comparison.level:.0%} (Tukey). "
        f"{smallest_difference(comparison)}"
    )
    if comparison.train_test_correlation is not None:
        text += (
            " Correlation of a corpus's effects as train and as test corpus: "
            f"{signed(comparison.train_test_correlation, 2)} (method: {comparison.method})."
        )
    if comparison.method == "one-score-per-corpus":
        text += " How often such verdicts are right was not simulated."
    return PlainTable(
        title=f"Which differences are real on other corpora like these, {where}",
        text=text,
        columns=("backbone", "letters", "mean"),
        lines=tuple(
            (
                *names(backbone.name, backbone.letters),
                SortableText(number(backbone.mean), f"{backbone.mean:.9f}"),
            )
            for backbone in comparison.backbones
        ),
        noun="backbone",
    )


def _pairs(where: str, comparison: CorporaComparison) -> PlainTable:
    pairs = sorted(comparison.pairs, key=lambda pair: -abs(pair.difference))
    rope = f"{comparison.rope:g}"
    return PlainTable(
        title=f"Pairs on other corpora like these, {where}",
        text=(
            f"{comparison.separable} of {plural(len(pairs), 'pair')} are separable. Intervals are "
            "those of single differences; probabilities are shrunk towards zero."
        ),
        columns=(
            *("better", "worse", "difference", "95 % interval", "separable", "P(better)"),
            *(f"P(better by over {rope})", f"P(within {rope})"),
        ),
        lines=tuple(_pair_line(pair) for pair in pairs),
        sentences=tuple(on_other_corpora(comparison, pair) for pair in pairs),
    )


def _pair_line(pair: PairVerdict) -> tuple[SortableText, ...]:
    swap = pair.difference < 0
    first, second = (pair.second, pair.first) if swap else (pair.first, pair.second)
    low, high = (-pair.high, -pair.low) if swap else (pair.low, pair.high)
    better = 1 - pair.better if swap else pair.better
    by_rope = pair.worse_by_rope if swap else pair.better_by_rope
    return (
        *names(first, second),
        SortableText(number(abs(pair.difference)), f"{abs(pair.difference):.9f}"),
        SortableText(interval_ends(low, high), f"{low:.9f}"),
        SortableText(*(("yes", "1") if pair.separable else ("no", "0"))),
        *(
            SortableText(number(share, 2), f"{share:.9f}")
            for share in (better, by_rope, pair.within_rope)
        ),
    )


def _these(where: str, verdicts: Verdicts) -> PlainTable:
    pairs = sorted(verdicts.these_corpora, key=lambda pair: -abs(pair.interval.value))
    return PlainTable(
        title=f"Which differences are real on these corpora, {where}",
        text=(
            f"Exactly these {plural(verdicts.n_cells, 'cell')}, with new speakers and new seeds; "
            "speakers are paired. This says nothing about other corpora. Holm's correction is over "
            f"all pairs. Differences within {verdicts.rope:g} are practically zero."
        ),
        columns=("first", "second", "difference", "95 % interval", "p (t, Holm)", "verdict"),
        lines=tuple(_these_line(pair) for pair in pairs),
        sentences=tuple(
            on_these_corpora(pair, n_cells=verdicts.n_cells, rope=verdicts.rope) for pair in pairs
        ),
    )


def _these_line(pair: PairedVerdict) -> tuple[SortableText, ...]:
    around = pair.interval
    return (
        *names(pair.first, pair.second),
        SortableText(signed(around.value), f"{around.value:.9f}"),
        SortableText(interval_ends(around.low, around.high), f"{around.low:.9f}"),
        SortableText(_p(pair.p_holm), f"{pair.p_holm:.12f}"),
        *names(_verdict(pair)),
    )


def _verdict(pair: PairedVerdict) -> str:
    if pair.differs is None:
        return _UNDECIDED
    if pair.differs:
        return "they differ, by a practically zero amount" if pair.equivalent else "they differ"
    return "practically equal" if pair.equivalent else "no difference is shown"


def _rank_tests(where: str, comparison: Comparison, *, rows: bool) -> PlainTable:
    """Return the classical tests; over rows of a matrix they come with a warning."""
    real = sum(pair.wilcoxon < _ALPHA for pair in comparison.pairs)
    n_names, n_corpora = len(comparison.ranks), comparison.n_corpora
    text = (
        f"Backbones paired over {n_corpora} corpora. "
        f"{real} of {plural(len(comparison.pairs), 'pair')} differ at 5 % by Wilcoxon's "
        "signed-rank test with Holm's correction."
    )
    columns = ["better", "worse", "mean difference", "p (Wilcoxon, Holm)"]
    if comparison.friedman is not None:
        columns.append("p (Nemenyi)")
        equals = "" if comparison.friedman < 0.001 else "= "
        text += f" Friedman's test that all are equal: p {equals}{_p(comparison.friedman)}."
    warnings = (WARNING if rows else None, wilcoxon_warning(n_names, n_corpora))
    text += "".join(f" Warning: {warning}" for warning in warnings if warning)
    return PlainTable(
        title=f"Rank tests, {where}",
        text=text,
        columns=tuple(columns),
        lines=tuple(
            _rank_line(pair)
            for pair in sorted(comparison.pairs, key=lambda pair: -abs(pair.difference))
        ),
    )


def _rank_line(pair: PairedTest) -> tuple[SortableText, ...]:
    both = (pair.second, pair.first) if pair.difference < 0 else (pair.first, pair.second)
    gap = abs(pair.difference)
    p_values = [pair.wilcoxon, *([] if pair.nemenyi is None else [pair.nemenyi])]
    return (
        *names(*both),
        SortableText(number(gap), f"{gap:.9f}"),
        *(SortableText(_p(p), f"{p:.12f}") for p in p_values),
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value)
