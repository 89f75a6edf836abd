"""The record of a run: everything that is needed to understand and repeat it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

from sercore.environment import environment

if TYPE_CHECKING:
    from sercore.runs.events import RunOptions
    from sercore.runs.plan import Plan
    from sercore.runs.plan import PlannedBackbone
    from sercore.runs.plan import PlannedCorpus

RECORD_SCHEMA = 1


def run_record(
    plan: Plan,
    options: RunOptions,
    *,
    threads: int | None,
    status: str,
    scoring: str,
    problems: Sequence[str],
    notes: Sequence[str],
    counts: Counter[str],
) -> dict[str, Any]:
    """Return the content of ``runs/<name>/run.json``.

    Args:
        plan: what the run does.
        options: how it works.
        threads: of torch in each stage; all processors when None.
        status: ``running``, ``ended`` or ``interrupted``.
        scoring: digest of the scoring rules.
        problems: what failed the run, one sentence each.
        notes: what a reader should know, one sentence each.
        counts: cells by status.
    """
    selection = plan.selection
    return {
        "schema": RECORD_SCHEMA,
        "name": options.name,
        "status": status,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "scoring": scoring,
        "protocol": asdict(selection.protocol),
        "settings": {
            "probes": list(selection.probes),
            "layer": selection.layer,
            "dtype": selection.dtype,
            "device": selection.device,
            "seed": selection.seed,
            "n_seeds": selection.n_seeds,
            "small_clusters": selection.small_clusters,
            "threads": threads,
            "frame_budget": options.frame_budget,
        },
        "probe_settings": {fit.probe.id: dict(fit.probe.settings) for fit in plan.fits},
        "corpora": {corpus.id: _corpus(corpus) for corpus in plan.corpora},
        "backbones": {each.name: _backbone(each) for each in plan.backbones},
        "missing": [asdict(each) for each in plan.missing],
        "environment": environment(),
        "counts": dict(sorted(counts.items())),
        "problems": list(problems),
        "notes": list(notes),
    }


def _corpus(corpus: PlannedCorpus) -> dict[str, Any]:
    card = corpus.corpus.card
    return {
        "title": card.title,
        "language": card.language,
        "licence": card.licence,
        "citation": card.citation,
        "demo": card.demo,
        "cluster": card.cluster,
        "ood_eligible": card.ood_eligible,
        "root": str(corpus.files.root),
        "manifest": corpus.manifest.digest,
        "utterances": len(corpus.manifest),
        "expected": expected.utterances
        if (expected := card.expected.get(corpus.manifest.reading))
        else None,
        "classes": corpus.manifest.class_counts(corpus.corpus, corpus.mapper),
        "whole": corpus.is_whole,
    }


def _backbone(planned: PlannedBackbone) -> dict[str, Any]:
    card, variant = planned.backbone.card, planned.options.variant
    return {
        "title": f"{card.title} ({variant})" if variant else card.title,
        "family": card.family,
        "licence": card.licence,
        "demo": card.demo,
        "checkpoint": planned.checkpoint.name,
        "revision": planned.checkpoint.revision,
        "weights": planned.checkpoint.digest,
        "width": card.width,
        "options": asdict(planned.options),
        "overlap": dict(card.overlap),
    }
