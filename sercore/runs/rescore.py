"""Compute the scores of a stored run anew, under other class rules, adjustments or metrics.

Only predictions and counts are read: nothing is trained, decoded or extracted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sercore.corpora.labels import CLASSES
from sercore.errors import ProtocolError
from sercore.errors import SercoreError
from sercore.errors import WorkspaceError
from sercore.evaluation.class_rules import CLASS_RULES
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.class_rules import LabelSet
from sercore.evaluation.class_rules import class_rule
from sercore.evaluation.out_of_fold import with_pooled
from sercore.evaluation.predictions import read_predictions
from sercore.evaluation.protocols import Protocol
from sercore.evaluation.scores import MAIN_METRIC
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.evaluation.scores import Rule
from sercore.evaluation.scores import score
from sercore.evaluation.scores import sort_scores
from sercore.results.class_counts import StoredPriors

if TYPE_CHECKING:
    from sercore.corpora.interface import CorpusCard
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.predictions import Predictions
    from sercore.results.stored_run import StoredRun

ADJUSTMENTS = ("uniform", "oracle", "none", "published")

_OF_SCORE = frozenset(
    {
        "class_rule", "adjustment", "averaging", "metric", "class", "value", "headline",
        "n_classes", "n_test", "n_dropped", "status", "reason",
    }
)  # fmt: skip
_OF_CELL = tuple(name for name in SCORE_SCHEMA.names if name not in _OF_SCORE)


@dataclass(frozen=True, slots=True)
class _StoredCard:
    """The part of a corpus's card that class rules ask for, as a record has it."""

    cluster: str | None
    ood_eligible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """What came of it."""

    scores: pa.Table
    """As `sercore.evaluation.scores.SCORE_SCHEMA`."""
    protocol: Protocol
    """As the run's, with what was asked for."""
    n_cells: int
    """Cells scored; folds and seeds count."""
    without_predictions: tuple[tuple[str, str, str], ...]
    """Class rule, train and test corpus of pairs that the rule asks for and nobody predicted."""
    problems: tuple[str, ...]
    """One sentence each: cells whose scores could not be computed."""


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
        metrics: what to measure; the main metric is measured in any case if it is among them.
        class_rules: for out-of-domain cells; the run's own when empty.
        adjustments: likewise; the first one becomes the headline.
        small_clusters: whether the clusters that the paper leaves out count; as in the run when
            None.
        threads: how many cells are scored at a time.

    Raises:
        ProtocolError: a class rule or adjustment is unknown.
        WorkspaceError: the record of the run does not say under which protocol it was computed.
    """
    protocol = _protocol(run, class_rules, adjustments)
    if small_clusters is None:
        small_clusters = bool((run.record.get("settings") or {}).get("small_clusters"))
    rules = _Rules(run.record, protocol, small=small_clusters)
    priors = StoredPriors(run.workspace, run.record)
    cells = _cells(run.scores)
    problems: list[str] = []
    rows: list[pa.Table] = []

    def work(cell: Mapping[str, Any]) -> pa.Table | str | None:
        wanted = rules.of(cell["train_corpus"], cell["test_corpus"])
        if not wanted:
            return None
        where = f"{cell['backbone']} · {cell['train_corpus']} on {cell['test_corpus']}"
        try:
            predictions = read_predictions(run.workspace, cell["prediction_key"])
            known = priors.of(
                cell["probe_key"], cell["train_corpus"], cell["test_corpus"], predictions.classes
            )
            if known is None:
                raise WorkspaceError("its probe's record is gone", hint="run it again")
            found = [
                row
                for rule in wanted
                for row in score(cell, predictions, rule, known, protocol, metrics)
            ]
        except SercoreError as error:
            return f"{where}: {error}"
        return _table(found)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        for outcome in pool.map(work, cells):
            if isinstance(outcome, str):
                problems.append(outcome)
            elif outcome is not None:
                rows.append(outcome)
    lacking = tuple(rules.lacking(cells))
    kept = _undone(run.scores, protocol)
    everything = [*rows, kept, _table(list(_unavailable(lacking, cells, protocol)))]
    scores = pa.concat_tables([SCORE_SCHEMA.empty_table(), *everything])

    def read(key: str) -> Predictions:
        return read_predictions(run.workspace, key)

    return Rescored(
        scores=sort_scores(with_pooled(scores, read, protocol, metrics)),
        protocol=protocol,
        n_cells=len(rows),
        without_predictions=lacking,
        problems=tuple(problems),
    )


def rescored_record(run: StoredRun, name: str, result: Rescored) -> dict[str, Any]:
    """Return the record of the run that holds the new scores."""
    counts = Counter(
        result.scores.filter(
            pc.and_(result.scores["headline"], pc.is_null(result.scores["class"]))
        )["status"].to_pylist()
    )
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


class _Rules:
    """Under which class rules a pair of corpora is scored."""

    def __init__(self, record: Mapping[str, Any], protocol: Protocol, *, small: bool) -> None:
        self._sets = {
            name: LabelSet(
                cast(
                    "CorpusCard", _StoredCard(card.get("cluster"), bool(card.get("ood_eligible")))
                ),
                frozenset(each for each, count in (card.get("classes") or {}).items() if count),
            )
            for name, card in (record.get("corpora") or {}).items()
        }
        self._demo = {
            name: bool(card.get("demo")) for name, card in (record.get("corpora") or {}).items()
        }
        self._protocol = protocol
        self._small = small

    def of(self, train: str, test: str) -> list[Rule]:
        """Return the rules of a pair; none where it is no cell."""
        if train == test:
            return [Rule(IN_DOMAIN, frozenset(CLASSES))]
        found = []
        for name in self._protocol.class_rules:
            allowed = class_rule(
                name, self._sets[train], self._sets[test], small_clusters=self._small
            )
            if allowed:
                found.append(Rule(name, allowed))
        return found

    def lacking(self, cells: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
        """Yield class rule, train and test corpus of pairs without any prediction."""
        there = {(cell["train_corpus"], cell["test_corpus"]) for cell in cells}
        trained = sorted({cell["train_corpus"] for cell in cells})
        for train in trained:
            for test in sorted(self._sets):
                if (train, test) in there or train == test or train not in self._sets:
                    continue
                if self._demo[train] != self._demo[test]:
                    continue
                for rule in self.of(train, test):
                    yield rule.name, train, test


def _protocol(run: StoredRun, class_rules: Sequence[str], adjustments: Sequence[str]) -> Protocol:
    stored = run.record.get("protocol")
    names = {field.name for field in fields(Protocol)}
    if not isinstance(stored, Mapping) or not names <= stored.keys():
        raise WorkspaceError(
            f"the record of the run '{run.name}' does not name its protocol", hint="run it again"
        )
    values = {name: stored[name] for name in names}
    for name in ("class_rules", "adjustments"):
        values[name] = tuple(values[name])
    protocol = Protocol(**values)
    for kind, given, known in (
        ("class rule", class_rules, tuple(CLASS_RULES)),
        ("adjustment", adjustments, ADJUSTMENTS),
    ):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise ProtocolError(
                f"there is no {kind} named '{unknown[0]}'",
                hint=f"choose one of {', '.join(known)}",
            )
    if class_rules:
        protocol = replace(protocol, class_rules=tuple(dict.fromkeys(class_rules)))
    if adjustments:
        chosen = tuple(dict.fromkeys(adjustments))
        protocol = replace(protocol, adjustments=chosen, headline=chosen[0])
    return protocol


def _cells(scores: pa.Table) -> list[dict[str, Any]]:
    """Return the fixed columns of every set of predictions, once each."""
    done = pc.and_(pc.equal(scores["status"], "done"), pc.is_valid(scores["prediction_key"]))
    narrow = scores.filter(done).select(list(_OF_CELL))
    keys = narrow["prediction_key"].combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(keys, return_index=True)
    rows: list[dict[str, Any]] = narrow.take(sorted(first)).to_pylist()
    return rows


def _undone(scores: pa.Table, protocol: Protocol) -> pa.Table:
    """Return the rows of cells that have no predictions, under rules that still apply."""
    rules = pa.array([IN_DOMAIN, *protocol.class_rules])
    kept = pc.and_(
        pc.not_equal(scores["status"], "done"), pc.is_in(scores["class_rule"], value_set=rules)
    )
    return scores.filter(kept).select(SCORE_SCHEMA.names).cast(SCORE_SCHEMA)


def _unavailable(
    lacking: Sequence[tuple[str, str, str]],
    cells: Sequence[Mapping[str, Any]],
    protocol: Protocol,
) -> Iterator[dict[str, Any]]:
    backbones = sorted({cell["backbone"] for cell in cells})
    demo = {cell["train_corpus"]: cell["demo"] for cell in cells}
    for rule, train, test in lacking:
        for backbone in backbones:
            yield {
                "backbone": backbone,
                "train_corpus": train,
                "test_corpus": test,
                "protocol": protocol.id,
                "class_rule": rule,
                "adjustment": protocol.headline,
                "averaging": protocol.averaging,
                "metric": MAIN_METRIC,
                "headline": True,
                "in_domain": False,
                "complete": False,
                "status": "unavailable",
                "reason": f"no predictions are stored; run it with --class-rule {rule}",
                "demo": demo[train],
            }


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCORE_SCHEMA)
