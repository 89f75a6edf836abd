"""Results as JSON of the schema Every Eval Ever (https://github.com/evaleval/every_eval_ever)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from sercore.evaluation.metrics import METRICS
from sercore.evaluation.scores import DONE
from sercore.results.record import corpora_of
from sercore.statistics.intervals import LEVEL

if TYPE_CHECKING:
    from sercore.exports.results import MatrixResult
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Pair

SCHEMA_VERSION = "0.3.0"

Relationship = Literal["first_party", "third_party", "collaborative", "other"]
"""Of who evaluated to who made the model."""

_LOWER_IS_BETTER = frozenset(metric.id for metric in METRICS if metric.higher_is_better is False)
_BOUNDED = frozenset({"macro-f1", "uar", "accuracy"})


def every_eval_ever_files(
    results: Sequence[MatrixResult], organization: str, relationship: Relationship
) -> dict[str, bytes]:
    """Return files by path: ``<owner>/<model>/<name>.json``, one for each matrix.

    Args:
        results: of matrices.
        organization: who computed them.
        relationship: of them to who made the model.
    """
    files = {}
    for result in results:
        record = _record(result, organization, relationship)
        name = result.checkpoint or f"unknown/{result.matrix.setting.backbone}"
        folder = "/".join(part.strip(".") or "unknown" for part in name.split("/")[:2])
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        files[f"{_safe(folder)}/{result.slug}.json"] = (text + "\n").encode()
    return files


def _safe(path: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "/._-" else "-" for letter in path)


def _record(result: MatrixResult, organization: str, relationship: Relationship) -> dict[str, Any]:
    setting = result.matrix.setting
    model = result.checkpoint or setting.checkpoint or setting.backbone
    stamp = _epoch(result.written)
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"sercore-{setting.protocol}/{model}/{stamp}/{result.slug}",
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": "sercore",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": relationship,
        },
        "eval_library": {
            "name": "sercore",
            "version": result.sercore or "unknown",
            "additional_details": _texts(
                protocol=setting.protocol,
                split=setting.split,
                class_rule=setting.class_rule,
                adjustment=setting.adjustment,
                averaging=setting.averaging,
                label_mapper=setting.mapper,
                reading=setting.reading,
                probe=setting.probe,
                probe_settings=setting.probe_settings,
                seeds=", ".join(str(seed) for seed in result.matrix.seeds if seed is not None),
            ),
        },
        "model_info": {
            "name": result.title,
            "id": model,
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "open_weights" if result.revision else "unknown",
                **_texts(
                    revision=result.revision,
                    weights_sha256=setting.weights,
                    layer=setting.layer,
                    dtype=setting.dtype,
                ),
            },
        },
        "evaluation_results": list(_cells(result)),
    }
    if result.written:
        record["evaluation_timestamp"] = result.written
    return record


def _cells(result: MatrixResult) -> list[dict[str, Any]]:
    manifests = _manifests(result)
    return [
        _cell(result, pair, cell, manifests) for pair, cell in sorted(result.matrix.cells.items())
    ]


def _cell(
    result: MatrixResult, pair: Pair, cell: Cell, manifests: Mapping[str, str | None]
) -> dict[str, Any]:
    train, test = pair
    metric = result.matrix.setting.metric
    described = corpora_of(result.run.record).get(test)
    estimate = result.estimates.get(pair)
    score: dict[str, Any] = {
        "score": cell.value,
        "details": _texts(
            domain="in-domain" if cell.in_domain else "out-of-domain",
            train_utterances=cell.n_train,
            classes=cell.n_classes,
        ),
    }
    if estimate is not None:
        around = estimate.interval
        score["uncertainty"] = {
            "confidence_interval": {
                "lower": around.low,
                "upper": around.high,
                "confidence_level": LEVEL,
                "method": f"delete-one-{around.unit} jackknife"
                + (", seeds as a second component" if len(estimate.seeds) > 1 else ""),
            }
        }
        if cell.n_test is not None:
            score["uncertainty"]["num_samples"] = cell.n_test
    bounds = {"min_score": 0.0, "max_score": 1.0} if metric in _BOUNDED else {}
    return {
        "evaluation_result_id": f"{train}->{test}/{metric}",
        "evaluation_name": f"probe trained on {train}, tested on {test}",
        "source_data": {
            "dataset_name": described.title if described else test,
            "source_type": "other",
            "additional_details": _texts(
                corpus=test,
                manifest_sha256=manifests.get(test),
                licence=described.licence if described else None,
                train_corpus=train,
                train_manifest_sha256=manifests.get(train),
            ),
        },
        "metric_config": {
            "metric_id": {"macro-f1": "f1_macro"}.get(metric, metric),
            "metric_name": metric,
            "metric_unit": "proportion" if metric in _BOUNDED else "points",
            "lower_is_better": metric in _LOWER_IS_BETTER,
            "score_type": "continuous",
            **bounds,
        },
        "score_details": score,
    }


def _manifests(result: MatrixResult) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for row in result.run.headline_rows():
        if row.status == DONE:
            found[row.cell.train_corpus] = row.cell.train_manifest
            found[row.cell.test_corpus] = row.cell.test_manifest
    return found


def _texts(**values: object) -> dict[str, str]:
    """Return what is known, as texts: the schema allows no other type here."""
    return {name: str(value) for name, value in values.items() if value not in (None, "")}


def _epoch(written: str | None) -> str:
    """Return a point in time as seconds since 1970; ``0`` where it is unknown."""
    try:
        return str(int(datetime.fromisoformat(written or "").timestamp()))
    except ValueError:
        return "0"
