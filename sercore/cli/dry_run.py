"""What ``sercore run --dry-run`` prints: the size of the run, and what is missing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.audio.hours import estimate_hours
from sercore.storage.trial import TrialWorkspace

if TYPE_CHECKING:
    from sercore.backbones.interface import BackboneCard
    from sercore.runs.api import Prepared
    from sercore.runs.planned import PlannedCorpus
    from sercore.storage.workspace import Workspace

_GB = 1e9


def show_dry_run(prepared: Prepared, *, as_json: bool) -> int:
    """Print what a run would do and return its exit status: 3 if something named is missing."""
    described = describe(prepared)
    if as_json:
        from sercore.cli.options import print_json

        print_json(described)
    else:
        _print(described)
    return 3 if any(missing["named"] for missing in described["missing"]) else 0


def describe(prepared: Prepared) -> dict[str, Any]:
    """Return what a run would do as plain values."""
    plan, workspace = prepared.plan, prepared.workspace
    corpora = {corpus.id: _corpus(corpus, workspace) for corpus in plan.corpora}
    features = []
    for backbone in plan.backbones:
        card = backbone.backbone.card
        pairs = {
            test_set.corpus.id: test_set.corpus
            for job in plan.jobs
            if job.backbone is backbone
            for test_set in job.test_sets
        }
        for name, corpus in sorted(pairs.items()):
            store = backbone.features(corpus, workspace, plan.selection.protocol)
            hours = corpora[name]["hours"]
            disk = None if hours is None else hours * 3600 * card.frame_rate * card.width * 2 / _GB
            features.append(
                {
                    "backbone": backbone.name,
                    "dataset": name,
                    "cached": store.n_done,
                    "utterances": len(corpus.manifest),
                    "disk_gb": disk,
                }
            )
    return {
        "protocol": plan.selection.protocol.id,
        "datasets": corpora,
        "backbones": [backbone.name for backbone in plan.backbones],
        "probe_fits": len(plan.jobs),
        "cells": plan.n_cells,
        "features": features,
        "downloads": [
            {
                "backbone": card.id,
                "checkpoint": card.checkpoint,
                "about_gb": about_gb(card),
            }
            for card in plan.downloads
        ],
        "missing": [asdict(missing) for missing in plan.missing],
        "splits": list(plan.splits),
        "workspace": workspace.root,
    }


def about_gb(card: BackboneCard) -> float | None:
    """Return the size in GB of the float32 weights of the part that is used.

    A repository may hold more. None if the card does not say how many parameters there are.
    """
    return None if card.parameters is None else card.parameters * 4 / _GB


def download_size(card: BackboneCard) -> str:
    """Return what would be downloaded for a backbone, with its approximate size."""
    return _size(card.checkpoint, about_gb(card))


def _size(checkpoint: str | None, gigabytes: float | None) -> str:
    size = "unknown size" if gigabytes is None else f"about {gigabytes:.1f} GB"
    return f"{checkpoint}, {size}"


def _corpus(corpus: PlannedCorpus, workspace: Workspace) -> dict[str, Any]:
    return {
        "root": str(corpus.place if _was_unpacked(corpus, workspace) else corpus.files.root),
        "unpacks": _was_unpacked(corpus, workspace),
        "utterances": len(corpus.manifest),
        "hours": estimate_hours(corpus.files, corpus.manifest),
        "problems": [str(problem) for problem in corpus.manifest.problems],
    }


def _was_unpacked(corpus: PlannedCorpus, workspace: Workspace) -> bool:
    """Return whether archives were unpacked for this dry run only."""
    if not isinstance(workspace, TrialWorkspace):
        return False
    folders = [corpus.files.root, *corpus.files.unpacked.values()]
    return any(isinstance(place, Path) and workspace.is_on_trial(place) for place in folders)


def _print(described: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sercore.cli.options import add_columns
    from sercore.cli.text import add_row
    from sercore.cli.text import plain
    from sercore.cli.text import print_table
    from sercore.cli.text import printable

    console = Console(highlight=False)
    table = Table(title="corpora", title_justify="left", pad_edge=False)
    add_columns(table, "corpus", "utterances", "hours, about", "where", whole=("corpus",))
    for name, corpus in described["datasets"].items():
        hours = "-" if corpus["hours"] is None else f"{corpus['hours']:.2f}"
        add_row(table, name, corpus["utterances"], hours, corpus["root"])
    if described["datasets"]:
        print_table(console, table)
    for name, corpus in described["datasets"].items():
        if corpus["unpacks"]:
            text = f"{name}: unpacked into a temporary folder for this; a run unpacks it once"
            console.print(plain(text), soft_wrap=True)
    table = Table(title="features", title_justify="left", pad_edge=False)
    add_columns(table, "backbone", "corpus", "cached", "disk, about", whole=("backbone", "corpus"))
    for row in described["features"]:
        disk = "-" if row["disk_gb"] is None else f"{row['disk_gb']:.2f} GB"
        add_row(
            table, row["backbone"], row["dataset"], f"{row['cached']} of {row['utterances']}", disk
        )
    if described["features"]:
        print_table(console, table)
    console.print(
        plain(
            f"{described['probe_fits']} probe fits, {described['cells']} cells · "
            f"protocol {described['protocol']} · workspace {described['workspace']}"
        ),
        soft_wrap=True,
    )
    for sentence in described["splits"]:
        console.print(plain(sentence), soft_wrap=True)
    for row in described["downloads"]:
        size = _size(row["checkpoint"], row["about_gb"])
        console.print(plain(f"would be downloaded with --download: {size}"), soft_wrap=True)
    downloaded = {row["backbone"] for row in described["downloads"]}
    for row in described["missing"]:
        if row["kind"] == "backbone" and row["name"] in downloaded:
            continue
        hint = f"; {row['hint']}" if row["hint"] else ""
        style = "red" if row["named"] or row["failed"] else "dim"
        text = f"{row['kind']} {row['name']}: {row['reason']}{hint}"
        console.print(Text(printable(text), style=style), soft_wrap=True)
    console.print("nothing was computed")
