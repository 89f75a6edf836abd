"""Verdicts in words, the same in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sercore.statistics.paired import PairedVerdict
    from sercore.statistics.verdicts import CorporaComparison
    from sercore.statistics.verdicts import PairVerdict


def on_other_corpora(comparison: CorporaComparison, pair: PairVerdict) -> str:
    """Return the sentences that belong under a comparison of two backbones (other corpora)."""
    swap = pair.difference < 0
    better, worse = (pair.second, pair.first) if swap else (pair.first, pair.second)
    low, high = (-pair.high, -pair.low) if swap else (pair.low, pair.high)
    probability = 1 - pair.better if swap else pair.better
    by_rope = pair.worse_by_rope if swap else pair.better_by_rope
    n_pairs = len(comparison.pairs)
    together = "They are" if n_pairs == 1 else f"Judged together with all {n_pairs} pairs they are"
    verdict = "separable (no common letter)" if pair.separable else "not separable (same letter)"
    seen = (
        f"{comparison.n_corpora} corpora"
        if comparison.method == "one-score-per-corpus"
        else f"{comparison.n_corpora} corpora as train and test"
    )
    return (
        f"On other corpora like these, {better} scores higher than {worse} by "
        f"{abs(pair.difference):+.3f} [{low:+.3f}, {high:+.3f}] ({seen}); probability that "
        f"{better} is better {_share(probability)}, by more than {comparison.rope:g} "
        f"{_share(by_rope)}, within {comparison.rope:g} {_share(pair.within_rope)}. "
        f"{together} {verdict}."
    )


def on_these_corpora(verdict: PairedVerdict, *, n_cells: int, rope: float) -> str:
    """Return the sentence that belongs under a comparison of two backbones (these corpora)."""
    around = verdict.interval
    lead = (
        f"On these {n_cells} cells, {verdict.first} minus {verdict.second} is "
        f"{around.value:+.3f} [{around.low:+.3f}, {around.high:+.3f}]"
    )
    if verdict.differs is None or verdict.equivalent is None:
        return f"{lead}; given these probes, too few seeds for a verdict about the backbones."
    found = "they differ" if verdict.differs else "no difference is shown"
    same = f", and it is practically zero (within {rope:g})" if verdict.equivalent else ""
    return f"{lead}; {found} (p = {verdict.p_holm:.3f} after Holm){same}."


def smallest_difference(comparison: CorporaComparison) -> str:
    """Return the sentence about what the comparison is able to find."""
    return (
        f"With {comparison.n_corpora} corpora and {len(comparison.backbones)} backbones, a typical "
        f"pair is separable from a difference of {comparison.smallest_difference:.3f} on. More "
        "corpora lower this; more seeds hardly do."
    )


def _share(probability: float) -> str:
    """Return a probability with two digits, and never as certain."""
    if probability < 0.005:
        return "under .01"
    if probability > 0.995:
        return "over .99"
    return f"{probability:.2f}".removeprefix("0")
