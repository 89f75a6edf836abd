"""Notices: demo data, missing cells, and copies that are not the published corpora."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sercore.evaluation.scores import cells_of
from sercore.evaluation.scores import with_predictions
from sercore.features.store import FeatureStore
from sercore.probes.store import probe_record_path
from sercore.published import PAPER
from sercore.published import table1
from sercore.reports.views import Notice
from sercore.results.floors import findings_text
from sercore.results.floors import findings_title
from sercore.results.record import corpora_of
from sercore.results.text import plural

if TYPE_CHECKING:
    from sercore.reports.views import ComparisonGroup
    from sercore.results.record import CorpusRecord
    from sercore.results.stored_run import StoredRun

DURATION_TOLERANCE = 0.15
"""Table 1 rounds durations to 0.1 s; a mean that differs by more is other audio."""

_MOST_NOTES = 3


def notices_of(
    run: StoredRun, groups: Sequence[ComparisonGroup], problems: Sequence[str], notes: Sequence[str]
) -> list[Notice]:
    """Return what a reader must know before using the numbers of a run.

    Args:
        run: the run.
        groups: what the report shows of it.
        problems: what failed, one sentence each.
        notes: what else the run recorded, one sentence each.
    """
    corpora = corpora_of(run.record)
    return [
        *_published(run),
        *_demo(groups),
        *_missing(groups),
        *_unfinished(run.record.get("status")),
        *_incomplete_copies(corpora),
        *_processed_copies(run, corpora),
        *_shortcuts(groups),
        *_notes(corpora, notes),
        *_problems(problems),
    ]


def _published(run: StoredRun) -> Iterator[Notice]:
    if run.is_published:
        yield Notice(
            kind="note",
            title="Numbers of the paper",
            text=f"These are the matrices published with {PAPER}. They are one number for each "
            "cell, without predictions and seeds, so no cell and no average has an interval.",
        )


def _demo(groups: Sequence[ComparisonGroup]) -> Iterator[Notice]:
    if any(group.setting.demo for group in groups):
        yield Notice(
            kind="demo",
            title="Demo data",
            text="Synthetic corpora show that the program works. Their scores are not results, "
            "and no average includes them together with real scores.",
        )


def _missing(groups: Sequence[ComparisonGroup]) -> Iterator[Notice]:
    missing = {
        (result.backbone, pair)
        for group in groups
        for result in group.backbones
        for pair in result.matrix.missing
    }
    if missing:
        backbones = sorted({backbone for backbone, _ in missing})
        yield Notice(
            kind="incomplete",
            title="Not complete",
            text=f"{plural(len(missing), 'cell')} missing ({', '.join(backbones)}). "
            "Every average shows how many of its values are there.",
        )


def _unfinished(status: object) -> Iterator[Notice]:
    if status not in (None, "ended"):
        yield Notice(
            kind="incomplete",
            title="Not finished",
            text=f"The status of the run is '{status}': start it again to complete it.",
        )


def _incomplete_copies(corpora: Mapping[str, CorpusRecord]) -> Iterator[Notice]:
    for name, corpus in corpora.items():
        if corpus.demo or corpus.whole is not False:
            continue
        count = f"{corpus.utterances} utterances"
        if corpus.expected:
            count += f"; a complete copy has {corpus.expected}"
        yield Notice(
            kind="incomplete",
            title=f"{name} is not a complete copy",
            text=f"It has {count}. Its scores are not those of the complete corpus.",
        )


def _processed_copies(run: StoredRun, corpora: Mapping[str, CorpusRecord]) -> Iterator[Notice]:
    published = {row["id"]: float(row["avg_duration_s"]) for row in table1()}
    for name, seconds in sorted(_mean_durations(run).items()):
        if name not in published or (name in corpora and corpora[name].whole is False):
            continue
        if abs(seconds / published[name] - 1) > DURATION_TOLERANCE:
            yield Notice(
                kind="copy",
                title=f"{name} is a processed copy",
                text=f"The mean duration of its recordings is {seconds:.1f} s; in the paper it is "
                f"{published[name]:.1f} s. Its scores cannot be compared with published scores.",
            )


def _shortcuts(groups: Sequence[ComparisonGroup]) -> Iterator[Notice]:
    for group in groups:
        if group.findings:
            title, text = findings_title(group.findings), findings_text(group.findings)
            yield Notice(kind="shortcut", title=title, text=text)


def _notes(corpora: Mapping[str, CorpusRecord], notes: Sequence[str]) -> Iterator[Notice]:
    for name, corpus in corpora.items():
        own = [note.removeprefix(f"{name}: ") for note in notes if note.startswith(f"{name}: ")]
        if own and not corpus.demo:
            text = " ".join(f"{note.rstrip('.')}." for note in own[:_MOST_NOTES])
            if len(own) > _MOST_NOTES:
                text += f" The end of the report lists {len(own) - _MOST_NOTES} more."
            yield Notice(kind="note", title=f"About this copy of {name}", text=text)


def _problems(problems: Sequence[str]) -> Iterator[Notice]:
    if problems:
        yield Notice(
            kind="problem",
            title=plural(len(problems), "problem"),
            text="They are listed at the end.",
        )


def _mean_durations(run: StoredRun) -> dict[str, float]:
    """Return the mean duration of the recordings of corpora in seconds, from stored features."""
    cells = cells_of(with_predictions(run.scores))
    found = {}
    for corpus, key in {cell.train_corpus: cell.probe_key for cell in cells}.items():
        path = probe_record_path(key or "")
        if key is None or not run.workspace.exists(path):
            continue
        identity = (run.workspace.read_json(path).get("identity") or {}).get("features")
        if not identity:
            continue
        store = FeatureStore.find(run.workspace, identity)
        if store is not None and store.n_done:
            found[corpus] = store.seconds / store.n_done
    return found
