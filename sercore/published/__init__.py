"""The published numbers of the benchmark, as facts that ship with the tool.

Source: "SER Evals: In-domain and Out-of-domain benchmarking for speech emotion recognition"
(Osman, Kaplan, Nadeem 2024), its Tables 1 to 3 (``paper.json``), and the result matrices published
with its code (``macro_f1.csv``: macro-F1 of ten checkpoints on 95 cells each, five decimals).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    import pyarrow as pa

PAPER = "SER Evals, Osman et al. 2024"
"""How reports name the paper to readers who may not know it."""

DEFECTIVE_TRAIN_CORPUS = "mesd"
"""Its published row is that of a constant predictor: it has no `surprise`, and the published
adjustment adds 27.6 to the logit of a class without training data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSummary:
    """One row of the paper's Table 3."""

    checkpoint: str
    """Name on the Hugging Face hub; a key of `published_matrices`."""
    id_mean: float
    id_std: float
    ood_mean: float
    ood_std: float
    weighted_average: float


@cache
def published_matrices() -> Mapping[str, Mapping[tuple[str, str], float]]:
    """Return macro-F1 by checkpoint and (train corpus, test corpus)."""
    matrices: dict[str, dict[tuple[str, str], float]] = {}
    with (files(__name__) / "macro_f1.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            cells = matrices.setdefault(row["backbone"], {})
            cells[row["train"], row["test"]] = float(row["macro_f1"])
    return MappingProxyType({name: MappingProxyType(cells) for name, cells in matrices.items()})


@cache
def published_summaries() -> Mapping[str, PublishedSummary]:
    """Return the rows of the paper's Table 3 by checkpoint, in its order."""
    rows = [PublishedSummary(**row) for row in _paper()["table3_summary"]]
    return MappingProxyType({row.checkpoint: row for row in rows})


@cache
def table1() -> tuple[Mapping[str, Any], ...]:
    """Return the rows of the paper's Table 1: id, classes, speakers, language, samples, ..."""
    return tuple(MappingProxyType(row) for row in _paper()["table1_corpora"])


PAPER_SET = "paper"
"""The set of corpora (`sercore.corpora.interface.CorpusCard.sets`) of the published matrices."""


@cache
def published_corpora() -> tuple[str, ...]:
    """Return the ids of the nineteen corpora in the order of the paper's Table 1."""
    return tuple(row["id"] for row in table1())


@cache
def eligible_corpora() -> tuple[str, ...]:
    """Return the corpora that Table 1 marks eligible for out-of-domain cells, in its order."""
    return tuple(row["id"] for row in table1() if row["ood_eligible"])


def published_scores() -> pa.Table:
    """Return the published matrices as rows of `sercore.evaluation.scores.SCORE_SCHEMA`.

    What the publication does not state (revisions, keys, counts) is null.
    """
    from sercore.evaluation.class_rules import IN_DOMAIN
    from sercore.evaluation.metrics import MAIN_METRIC
    from sercore.evaluation.protocols import OCCURRING
    from sercore.evaluation.protocols import Adjustment
    from sercore.evaluation.protocols import ClassRule
    from sercore.evaluation.scores import DONE
    from sercore.evaluation.scores import ScoredCell
    from sercore.evaluation.scores import ScoreRow
    from sercore.evaluation.scores import table_of

    return table_of(
        ScoreRow(
            cell=ScoredCell(
                backbone=checkpoint.partition("/")[2].lower(),
                checkpoint=checkpoint,
                train_corpus=train,
                test_corpus=test,
                protocol="paper",
                reading="paper",
                mapper="paper",
                in_domain=train == test,
                demo=False,
            ),
            class_rule=IN_DOMAIN if train == test else ClassRule.CLUSTER,
            adjustment=Adjustment.NONE if train == test else Adjustment.PUBLISHED,
            averaging=OCCURRING,
            metric=MAIN_METRIC,
            value=value,
            headline=True,
            status=DONE,
        )
        for checkpoint, cells in published_matrices().items()
        for (train, test), value in cells.items()
    )


@cache
def _paper() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (files(__name__) / "paper.json").read_text(encoding="utf-8")
    )
    return content
