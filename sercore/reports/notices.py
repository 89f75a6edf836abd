"""What must not be overlooked: demo data, missing cells, copies that are not what was published."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from sercore.features.store import FeatureStore
from sercore.published import table1
from sercore.reports.views import Notice
from sercore.results.text import plural

if TYPE_CHECKING:
    from sercore.reports.views import Family
    from sercore.results.stored_run import StoredRun

DURATION_TOLERANCE = 0.15
"""Table 1 rounds durations to 0.1 s; a mean that differs by more is not the same audio."""

_MOST_NOTES = 3


def notices_of(
    run: StoredRun, families: Sequence[Family], problems: Sequence[str], notes: Sequence[str]
) -> list[Notice]:
    """Return what a reader of a run must not overlook.

    Args:
        run: the run.
        families: what is reported of it.
        problems: what failed, one sentence each.
        notes: what else the run wrote down, one sentence each.
    """
    record = run.record
    notices = []
    if any(family.setting.demo for family in families):
        notices.append(
            Notice(
                kind="demo",
                title="Demo data",
                text="Synthetic corpora show that the program works. Their scores are no results "
                "and enter no average with real ones.",
            )
        )
    missing = {
        (row.backbone, pair)
        for family in families
        for row in family.rows
        for pair in row.matrix.missing
    }
    if missing:
        backbones = sorted({backbone for backbone, _ in missing})
        notices.append(
            Notice(
                kind="incomplete",
                title="Not complete",
                text=f"{plural(len(missing), 'cell')} missing ({', '.join(backbones)}). "
                "Every average says how many of its values were there.",
            )
        )
    if record.get("status") not in (None, "ended"):
        notices.append(
            Notice(
                kind="incomplete",
                title="Not finished",
                text=f"The run's status is '{record['status']}': start it again to complete it.",
            )
        )
    notices += _corpus_notices(run)
    notices += _note_notices(record, notes)
    if problems:
        notices.append(
            Notice(
                kind="problem",
                title=plural(len(problems), "problem"),
                text="They are listed at the end.",
            )
        )
    return notices


def _corpus_notices(run: StoredRun) -> list[Notice]:
    corpora = run.record.get("corpora")
    corpora = corpora if isinstance(corpora, Mapping) else {}
    notices = []
    for name, card in sorted(corpora.items()):
        if card.get("demo") or card.get("whole") is not False:
            continue
        expected = card.get("expected")
        count = f"{card.get('utterances')} utterances" + (
            f" where a complete copy has {expected}" if expected else ""
        )
        notices.append(
            Notice(
                kind="incomplete",
                title=f"{name} is not a complete copy",
                text=f"It has {count}. Its scores are not those of the complete corpus.",
            )
        )
    published = {row["id"]: float(row["avg_duration_s"]) for row in table1()}
    for name, seconds in sorted(_mean_durations(run).items()):
        if name not in published or corpora.get(name, {}).get("whole") is False:
            continue
        if abs(seconds / published[name] - 1) > DURATION_TOLERANCE:
            notices.append(
                Notice(
                    kind="copy",
                    title=f"{name} is a processed copy",
                    text=f"Its recordings last {seconds:.1f} s on average where the paper's last "
                    f"{published[name]:.1f} s. Its scores cannot be compared with published ones.",
                )
            )
    return notices


def _note_notices(record: Mapping[str, Any], notes: Sequence[str]) -> list[Notice]:
    """Return what the run noted about the corpora that took part."""
    corpora = record.get("corpora")
    corpora = corpora if isinstance(corpora, Mapping) else {}
    notices = []
    for name, card in sorted(corpora.items()):
        own = [note.removeprefix(f"{name}: ") for note in notes if note.startswith(f"{name}: ")]
        if own and not card.get("demo"):
            rest = f" And {len(own) - _MOST_NOTES} more, listed at the end."
            text = " ".join(f"{each.rstrip('.')}." for each in own[:_MOST_NOTES])
            text += rest if len(own) > _MOST_NOTES else ""
            notices.append(Notice(kind="note", title=f"About this copy of {name}", text=text))
    return notices


def _mean_durations(run: StoredRun) -> dict[str, float]:
    """Return the mean duration of the recordings of each corpus, where features tell it."""
    scores = run.scores.select(["train_corpus", "probe_key"])
    keys = dict(
        zip(scores["train_corpus"].to_pylist(), scores["probe_key"].to_pylist(), strict=True)
    )
    found = {}
    for corpus, key in keys.items():
        path = f"probes/{key}/record.json"
        if key is None or not run.workspace.exists(path):
            continue
        identity = (run.workspace.read_json(path).get("identity") or {}).get("features")
        if not identity:
            continue
        store = FeatureStore(run.workspace, identity)
        if store.n_done:
            found[corpus] = store.seconds / store.n_done
    return found
