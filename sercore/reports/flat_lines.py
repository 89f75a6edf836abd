"""The lines of the flat tables of a report; their fields are the columns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneColumns:
    """Which backbone, measured how."""

    run: str
    protocol: str
    class_rule: str | None
    adjustment: str | None
    metric: str
    split: str | None
    probe: str | None
    probe_settings: str | None
    """Canonical JSON."""
    demo: bool
    corpora: str | None
    """The set of corpora that the averages are over."""
    backbone: str
    """With its variant."""
    floor: bool
    """Whether it is features without pre-training."""
    layer: str | None
    dtype: str | None
    checkpoint: str | None
    revision: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalColumns:
    """An interval; all null without one."""

    low: float | None = None
    high: float | None = None
    interval_level: float | None = None
    interval_unit: str | None = None
    """What was left out one at a time: ``speaker``, a weaker grouping, or ``utterance``."""
    interval_units: int | None = None
    """How many of them there are."""
    interval_effective_units: float | None = None
    """Below `interval_units` where they have unequal numbers of utterances."""
    interval_df: float | None = None
    """Degrees of freedom of its quantile of Student's t."""
    interval_notes: str | None = None
    """`sercore.statistics.intervals.Note`, separated by spaces: ``one-probe`` and others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLine:
    """A cell; missing cells have a status, a reason and no value."""

    backbone_of: BackboneColumns
    train_corpus: str
    test_corpus: str
    in_domain: bool
    status: str
    """``done`` or ``missing``."""
    reason: str | None = None
    value: float | None = None
    """Mean over seeds."""
    deviation: float | None = None
    """Over seeds, or over folds if there is one seed."""
    lowest: float | None = None
    """Over seeds."""
    highest: float | None = None
    seeds: int | None = None
    folds: int | None = None
    pooled: bool | None = None
    """Whether the value is that of the predictions of all folds together."""
    interval: IntervalColumns = IntervalColumns()
    chance: float | None = None
    """The best blind guess."""
    chance_majority: float | None = None
    chance_own_answers: float | None = None
    text_alone: float | None = None
    """In domain: the score of answers that know the text, and no sound."""
    text_alone_low: float | None = None
    text_alone_high: float | None = None
    speaker_alone: float | None = None
    """Likewise for the speaker."""
    speaker_alone_low: float | None = None
    speaker_alone_high: float | None = None
    human_accuracy: float | None = None
    """In domain: of human listeners, as the authors of the corpus published it."""
    expected_calibration_error: float | None = None
    negative_log_likelihood: float | None = None
    """In nats; null where a label is masked."""
    paper: float | None = None
    n_classes: int | None = None
    n_train: int | None = None
    n_test: int | None = None
    n_dropped: int | None = None
    n_missing: int | None = None
    shared_speakers: int | None = None
    shared_texts: int | None = None
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageLine:
    """An average of a backbone."""

    backbone_of: BackboneColumns
    reduction: str
    """``in-domain``, ``out-of-domain``, ``weighted``, ``weighted-matched`` (no adjustment on either
    side), ``trained-on`` or ``tested-on``."""
    corpus: str | None = None
    mean: float | None
    deviation: float | None = None
    n: int
    of: int
    complete: bool
    interval: IntervalColumns
    chance: float | None = None
    """The best blind guess, over the same cells."""
    text_alone: float | None = None
    """Mean over the corpora that name texts."""
    text_alone_low: float | None = None
    text_alone_high: float | None = None
    speaker_alone: float | None = None
    speaker_alone_low: float | None = None
    speaker_alone_high: float | None = None
    expected_calibration_error: float | None = None
    negative_log_likelihood: float | None = None
    paper_mean: float | None = None
    paper_deviation: float | None = None
