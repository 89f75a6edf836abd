"""The record of a run: what is needed to understand and repeat it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

from sercore.backbones.interface import split_name
from sercore.corpora.declared import DeclaredCorpus
from sercore.corpora.problems import summarized
from sercore.environment import environment
from sercore.evaluation.protocols import ClassRule

if TYPE_CHECKING:
    from sercore.corpora.problems import Problem
    from sercore.plugins.registry import Registry
    from sercore.runs.planned import Plan
    from sercore.runs.planned import PlannedBackbone
    from sercore.runs.planned import PlannedCorpus
    from sercore.runs.selection import Selection
    from sercore.runs.spec import RunSpec

RECORD_SCHEMA = 1


def run_record(
    plan: Plan,
    spec: RunSpec,
    *,
    name: str,
    status: str,
    scoring: str,
    problems: Sequence[str],
    notes: Sequence[str],
    counts: Counter[str],
    plugins: Mapping[str, str],
) -> dict[str, Any]:
    """Return the content of ``runs/<name>/run.json``.

    Args:
        plan: what the run does.
        spec: what its tasks have in common.
        name: of the run.
        status: ``running``, ``ended`` or ``interrupted``.
        scoring: digest of the scoring rules.
        problems: what failed the run: one sentence per fault.
        notes: what a reader should know: one sentence per note.
        counts: cells by status.
        plugins: version by distribution, as `used_plugins` returns it.
    """
    selection = plan.selection
    return {
        "schema": RECORD_SCHEMA,
        "name": name,
        "status": status,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "scoring": scoring,
        "protocol": asdict(selection.protocol),
        "settings": _settings(selection, spec),
        "probe_settings": {job.probe.id: dict(job.probe.settings) for job in plan.jobs},
        "corpora": {corpus.id: _corpus(corpus) for corpus in plan.corpora},
        "backbones": {backbone.name: _backbone(backbone) for backbone in plan.backbones},
        "missing": [asdict(missing) for missing in plan.missing],
        "splits": list(plan.splits),
        "environment": environment(),
        "planned": _planned(plan),
        "plugins": dict(plugins),
        "counts": dict(sorted(counts.items())),
        "problems": list(problems),
        "notes": list(notes),
    }


def _settings(selection: Selection, spec: RunSpec) -> dict[str, Any]:
    return {
        "probes": list(selection.probes),
        "layer": selection.layer,
        "dtype": selection.dtype,
        "device": selection.device,
        "seed": selection.seed,
        "n_seeds": len(selection.seeds),
        "corpora": list(selection.sets),
        "accept_shared_speakers": selection.accept_shared_speakers,
        "small_clusters": selection.small_clusters,
        "threads": spec.threads,
        "frame_budget": spec.frame_budget,
    }


def _planned(plan: Plan) -> dict[str, int]:
    """Return how many corpora a run extracts, probes it trains, corpora it predicts, and cells."""
    cells = [(job, test_set) for job in plan.jobs for test_set in job.test_sets]
    pairs = {(job.backbone.name, test_set.corpus.id) for job, test_set in cells}
    return {
        "extract": len(pairs),
        "fit": len(plan.jobs),
        "predict": len(pairs),
        "cells": sum(len(test_set.rules) for _, test_set in cells),
    }


def used_plugins(plan: Plan, registry: Registry) -> dict[str, str]:
    """Return the version of every distribution whose plugins a plan uses, sercore's own left out.

    Args:
        plan: what the run does.
        registry: what is installed.
    """
    protocol = plan.selection.protocol
    owners = [
        *(registry.corpora.owners.get(corpus.id) for corpus in plan.corpora),
        *(registry.backbones.owners.get(split_name(used.name)[0]) for used in plan.backbones),
        *(registry.probes.owners.get(job.probe.id) for job in plan.jobs),
        *registry.metrics.owners.values(),
        registry.protocols.owners.get(protocol.id),
        registry.label_mappers.owners.get(protocol.mapper),
    ]
    versions = {owner.distribution: owner.version for owner in owners if owner is not None}
    return {name: version for name, version in sorted(versions.items()) if name != "sercore"}


def problems_of(plan: Plan) -> list[str]:
    """Return what is wrong with a plan: one sentence per fault."""
    found = [str(missing) for missing in plan.missing if missing.failed or missing.named]
    for corpus in plan.corpora:
        problems = summarized(corpus.manifest.problems)
        found += [_sentence(corpus, problem) for problem in problems if problem.is_fault]
    if not plan.jobs:
        found.append(_nothing_to_run(plan))
    return found


def notes_of(plan: Plan) -> list[str]:
    """Return what a reader of the results should know: one sentence per note."""
    found = [str(missing) for missing in plan.missing if not (missing.failed or missing.named)]
    found += plan.splits
    for corpus in plan.corpora:
        problems = summarized(corpus.manifest.problems)
        found += [_sentence(corpus, problem) for problem in problems if not problem.is_fault]
    return [*found, *_about_rules(plan)]


def _about_rules(plan: Plan) -> Iterator[str]:
    """Yield what a reader must know about the class rule of corpora that the user declared."""
    declared = [corpus.id for corpus in plan.corpora if corpus.corpus.card.declared]
    if (
        declared
        and len(plan.corpora) > 1
        and ClassRule.CLUSTER in plan.selection.protocol.class_rules
    ):
        yield (
            f"no published cluster includes your own corpora ({', '.join(declared)}), so their "
            "out-of-domain cells are scored on the classes that both corpora have (class rule "
            "shared-classes)"
        )


def _sentence(corpus: PlannedCorpus, problem: Problem) -> str:
    """Return a problem with its corpus, unless it names the corpus already."""
    return str(problem) if problem.where == corpus.id else f"{corpus.id}: {problem}"


def _nothing_to_run(plan: Plan) -> str:
    """Return why a plan is empty: a run without a cell must not look like a good one."""
    # A plan keeps only the backbones of its rows. Without rows, `missing` shows which is absent.
    missing = {missing.kind for missing in plan.missing}
    absent = [] if plan.corpora else ["corpus"]
    if "backbone" in missing and "row" not in missing:
        absent.append("backbone")
    return (
        f"there is nothing to run: no {' and no '.join(absent) or 'row'} was found; "
        "'sercore doctor' shows what is found, and '--all --demo' runs without data"
    )


def _corpus(corpus: PlannedCorpus) -> dict[str, Any]:
    card = corpus.corpus.card
    return {
        "title": card.title,
        "language": card.language,
        "speech": card.speech,
        "licence": card.licence,
        "citation": card.citation,
        "demo": card.demo,
        "sets": list(card.sets),
        "declared": card.declared,
        "source": str(corpus.corpus.source) if isinstance(corpus.corpus, DeclaredCorpus) else None,
        "cluster": card.cluster,
        "ood_eligible": card.ood_eligible,
        "root": str(corpus.files.root),
        "manifest": corpus.manifest.digest,
        "utterances": len(corpus.manifest),
        "expected": expected.utterances
        if (expected := card.expected.get(corpus.manifest.reading))
        else None,
        "classes": corpus.manifest.class_counts(corpus.corpus, corpus.mapper),
        "labels": _labels(corpus),
        "human_accuracy": card.human_accuracy,
        "whole": corpus.is_whole,
    }


def _labels(corpus: PlannedCorpus) -> dict[str, str | None]:
    """Return the class of each native label; None for one that the mapper leaves out."""
    classes = {-1: None, **dict(enumerate(corpus.mapper.classes))}
    natives = corpus.manifest.column("native_label")
    return {
        native: classes[label]
        for native, label in sorted(set(zip(natives, corpus.labels.tolist(), strict=True)))
    }


def _backbone(planned: PlannedBackbone) -> dict[str, Any]:
    card, variant = planned.backbone.card, planned.options.variant
    return {
        "title": f"{card.title} ({variant})" if variant else card.title,
        "family": card.family,
        "licence": card.licence,
        "demo": card.demo,
        "floor": card.floor,
        "checkpoint": planned.checkpoint.name,
        "revision": planned.checkpoint.revision,
        "weights": planned.checkpoint.digest,
        "width": card.width,
        "options": asdict(planned.options),
        "overlap": dict(card.overlap),
    }
