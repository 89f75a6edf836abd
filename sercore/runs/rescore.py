"""Rescore a stored run, under other class rules, adjustments or metrics.

Only predictions and class counts are read: nothing is trained, decoded or extracted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

import pyarrow as pa

from sercore.corpora.labels import CLASSES
from sercore.errors import ProtocolError
from sercore.errors import SercoreError
from sercore.errors import WorkspaceError
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.class_rules import applied_rules
from sercore.evaluation.class_rules import in_domain_rule
from sercore.evaluation.class_rules import rules_between
from sercore.evaluation.held_out import HeldOutParts
from sercore.evaluation.metrics import MAIN_METRIC
from sercore.evaluation.out_of_fold import add_out_of_fold
from sercore.evaluation.predictions import read_predictions
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.protocols import ClassRule
from sercore.evaluation.scores import DONE
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.evaluation.scores import UNAVAILABLE
from sercore.evaluation.scores import ScoredCell
from sercore.evaluation.scores import ScoreRow
from sercore.evaluation.scores import cells_of
from sercore.evaluation.scores import headlines
from sercore.evaluation.scores import rows_of
from sercore.evaluation.scores import sort_scores
from sercore.evaluation.scores import table_of
from sercore.evaluation.scores import under_rules
from sercore.evaluation.scores import whole_cells
from sercore.evaluation.scores import with_predictions
from sercore.evaluation.scores import without_refused_adjustments
from sercore.evaluation.scores import without_status
from sercore.evaluation.scoring import score
from sercore.results.class_counts import StoredClassCounts
from sercore.results.record import corpora_of
from sercore.results.record import protocol_of
from sercore.results.record import section

if TYPE_CHECKING:
    from sercore.evaluation.class_rules import Rule
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.protocols import Protocol
    from sercore.results.stored_run import StoredRun


class UnpredictedPair(NamedTuple):
    """A pair of corpora that a class rule includes and no probe has predicted."""

    class_rule: str
    train: str
    test: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """The scores of a rescored run, and what has no score."""

    scores: pa.Table
    """As `sercore.evaluation.scores.SCORE_SCHEMA`."""
    protocol: Protocol
    """The protocol of the run, with the requested class rules and adjustments."""
    n_cells: int
    """Cells scored; every fold and seed counts."""
    without_predictions: tuple[UnpredictedPair, ...]
    problems: tuple[str, ...]
    """Cells whose scores could not be computed: one sentence per cell."""


def rescore(
    run: StoredRun,
    metrics: Sequence[Metric],
    *,
    class_rules: Sequence[str] = (),
    adjustments: Sequence[str] = (),
    small_clusters: bool | None = None,
    threads: int = 2,
) -> Rescored:
    """Compute all scores of a run from its predictions.

    Args:
        run: the run.
        metrics: what to measure.
        class_rules: for out-of-domain cells; those of the run if empty.
        adjustments: for out-of-domain cells; those of the run if empty. The first one becomes the
            headline.
        small_clusters: whether to include the clusters that the paper's tables leave out; as in
            the run if None.
        threads: how many cells are scored at a time.

    Raises:
        ProtocolError: a class rule or adjustment does not exist.
        WorkspaceError: the record of the run does not hold its protocol.
    """
    protocol = _protocol(run, class_rules, adjustments)
    if small_clusters is None:
        small_clusters = bool(section(run.record, "settings").get("small_clusters"))
    rules = _PairRules(run.record, protocol, small_clusters=small_clusters)
    cells = cells_of(with_predictions(run.scores))
    scorer = _Scorer(run, rules, metrics, _held_out(run, cells))
    with ThreadPoolExecutor(max_workers=threads) as pool:
        outcomes = list(pool.map(scorer, cells))
    scored = [outcome for outcome in outcomes if isinstance(outcome, pa.Table)]
    unpredicted = tuple(rules.unpredicted(cells))
    tables = [
        *scored,
        _without_predictions(run.scores, rules.names),
        table_of(_unavailable(unpredicted, cells, protocol)),
    ]
    read = partial(read_predictions, run.workspace)
    return Rescored(
        scores=sort_scores(add_out_of_fold(pa.concat_tables(tables), read, protocol, metrics)),
        protocol=protocol,
        n_cells=len(scored),
        without_predictions=unpredicted,
        problems=tuple(outcome for outcome in outcomes if isinstance(outcome, str)),
    )


def _held_out(run: StoredRun, cells: Sequence[ScoredCell]) -> HeldOutParts:
    """Return the held-out part of every probe: its in-domain predictions."""
    in_domain = {
        cell.probe_key: cell.prediction_key
        for cell in cells
        if cell.in_domain and cell.probe_key and cell.prediction_key
    }
    return HeldOutParts(partial(read_predictions, run.workspace, ids=False), in_domain)


def rescored_record(run: StoredRun, name: str, result: Rescored) -> dict[str, Any]:
    """Return the record of the run that holds the new scores."""
    counts = Counter(row.status for row in rows_of(whole_cells(headlines(result.scores))))
    return {
        **run.record,
        "name": name,
        "status": "ended",
        "scoring": "rescored",
        "rescored_from": run.name,
        "protocol": asdict(result.protocol),
        "counts": dict(sorted(counts.items())),
        "problems": [*(run.record.get("problems") or ()), *result.problems],
    }


class _Scorer:
    """Score one cell of a run; threads share it."""

    def __init__(
        self,
        run: StoredRun,
        rules: _PairRules,
        metrics: Sequence[Metric],
        held_out: HeldOutParts,
    ) -> None:
        self._held_out = held_out
        self._workspace = run.workspace
        self._rules = rules
        self._metrics = metrics
        self._counts = StoredClassCounts(run.workspace, run.record)

    def __call__(self, cell: ScoredCell) -> pa.Table | str | None:
        """Return the scores, a sentence why there are none, or None if no rule includes it."""
        try:
            rules = self._rules.of(cell.train_corpus, cell.test_corpus)
            return table_of(self._score(cell, rules)) if rules else None
        except SercoreError as error:
            return f"{cell.backbone} · {cell.train_corpus} on {cell.test_corpus}: {error}"

    def _score(self, cell: ScoredCell, rules: Sequence[Rule]) -> list[ScoreRow]:
        predictions = read_predictions(self._workspace, cell.prediction_key or "", ids=False)
        counts = self._counts.of(
            cell.probe_key, cell.train_corpus, cell.test_corpus, predictions.classes
        )
        if counts is None:
            raise WorkspaceError("the record of its probe is missing", hint="run it again")
        return [
            row
            for rule in rules
            for row in score(
                cell,
                predictions,
                rule,
                counts,
                self._rules.protocol,
                self._metrics,
                held_out=self._held_out.of(cell.probe_key),
            )
        ]


class _PairRules:
    """The class rules under which pairs of corpora of a run are scored."""

    def __init__(
        self, record: Mapping[str, Any], protocol: Protocol, *, small_clusters: bool
    ) -> None:
        self.protocol = protocol
        self._sets = {name: corpus.label_set for name, corpus in corpora_of(record).items()}
        self._small_clusters = small_clusters

    def of(self, train: str, test: str) -> tuple[Rule, ...]:
        """Return the rules of a pair; none if it is no cell."""
        if train == test:
            return (in_domain_rule(CLASSES),)
        for name in (train, test):
            if name not in self._sets:
                raise WorkspaceError(
                    f"the record of the run does not describe the corpus {name}",
                    hint="run it again",
                )
        return rules_between(
            self._sets[train],
            self._sets[test],
            self.protocol.class_rules,
            small_clusters=self._small_clusters,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The rules that apply to any pair of corpora of the run."""
        declared = any(corpus.declared for corpus in self._sets.values())
        more = applied_rules(self.protocol.class_rules, declared=declared)
        return tuple(dict.fromkeys((*self.protocol.class_rules, *more)))

    def unpredicted(self, cells: Collection[ScoredCell]) -> Iterator[UnpredictedPair]:
        """Yield the pairs that a rule includes and no cell covers."""
        covered = {(cell.train_corpus, cell.test_corpus) for cell in cells}
        for train in sorted({cell.train_corpus for cell in cells} & self._sets.keys()):
            for test in sorted(self._sets):
                if train != test and (train, test) not in covered:
                    for rule in self.of(train, test):
                        yield UnpredictedPair(rule.name, train, test)


def _protocol(run: StoredRun, class_rules: Sequence[str], adjustments: Sequence[str]) -> Protocol:
    """Return the protocol of a run with other class rules and adjustments."""
    protocol = protocol_of(run.record)
    if protocol is None:
        raise WorkspaceError(
            f"the record of the run '{run.name}' does not name its protocol", hint="run it again"
        )
    _require_known("class rule", class_rules, list(ClassRule))
    _require_known("adjustment", adjustments, list(Adjustment))
    if class_rules:
        protocol = replace(protocol, class_rules=tuple(dict.fromkeys(class_rules)))
    if adjustments:
        chosen = tuple(dict.fromkeys(adjustments))
        protocol = replace(protocol, adjustments=chosen, headline=chosen[0])
    return protocol


def _require_known(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ProtocolError(
            f"there is no {kind} named '{unknown[0]}'", hint=f"choose one of {', '.join(known)}"
        )


def _without_predictions(scores: pa.Table, rules: Sequence[str]) -> pa.Table:
    """Return the rows of cells without predictions, under some class rules."""
    undone = under_rules(without_status(scores, DONE), [IN_DOMAIN, *rules])
    undone = without_refused_adjustments(undone)
    return undone.select(SCORE_SCHEMA.names).cast(SCORE_SCHEMA)


def _unavailable(
    pairs: Sequence[UnpredictedPair], cells: Sequence[ScoredCell], protocol: Protocol
) -> Iterator[ScoreRow]:
    backbones = sorted({cell.backbone for cell in cells})
    demo = {cell.train_corpus: cell.demo for cell in cells}
    for pair in pairs:
        for backbone in backbones:
            yield ScoreRow(
                cell=ScoredCell(
                    backbone=backbone,
                    train_corpus=pair.train,
                    test_corpus=pair.test,
                    protocol=protocol.id,
                    in_domain=False,
                    complete=False,
                    demo=demo[pair.train],
                ),
                class_rule=pair.class_rule,
                adjustment=protocol.headline,
                averaging=protocol.averaging,
                metric=MAIN_METRIC,
                headline=True,
                status=UNAVAILABLE,
                reason=f"no predictions are stored; run it with --class-rule {pair.class_rule}",
            )
