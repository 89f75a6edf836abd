"""Which corpora need no frames, because all that follows from these is stored."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sercore.evaluation.predictions import predictions_path
from sercore.features.completed import copies_of
from sercore.probes.store import probe_record_path
from sercore.runs.planned import prediction_identity
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.features.store import FeatureStore
    from sercore.runs.planned import ProbeJob
    from sercore.storage.workspace import Workspace


def spared_corpora(
    jobs: Iterable[ProbeJob],
    stores: Mapping[str, FeatureStore],
    workspace: Workspace,
    *,
    threads: int,
    layer_means: bool,
) -> dict[str, list[str]]:
    """Return the corpora whose frames were removed and are not needed again.

    Args:
        jobs: the probe jobs of one backbone.
        stores: its frames by corpus.
        workspace: where everything is stored.
        threads: threads of a task, which are in the keys of probes.
        layer_means: whether the run stores the means of all layers.

    Returns:
        By name of the corpus, what was noted about copies of recordings.
    """
    lacking = [name for name in stores if stores[name].missing_parts(layer_means=layer_means)]
    # Where the list of parts is there, frames were not removed but lost: they are extracted again.
    gone = [name for name in lacking if not stores[name].is_described]
    copies = {name: copies_of(workspace, stores[name]) for name in gone}
    removed = {name: noted for name, noted in copies.items() if noted is not None}
    if not removed:
        return {}
    unknown = set(lacking) - set(removed)
    needed = {
        name
        for job in jobs
        for name in _needed_by(job, stores, workspace, unknown=unknown, threads=threads)
    }
    return {name: noted for name, noted in removed.items() if name not in needed}


def _needed_by(
    job: ProbeJob,
    stores: Mapping[str, FeatureStore],
    workspace: Workspace,
    *,
    unknown: set[str],
    threads: int,
) -> Iterator[str]:
    """Yield the corpora without which a result of a job cannot be computed."""
    features = job.source(stores[job.train.id])
    key = digest_of(job.identity(features, threads=threads))
    is_trained = job.train.id not in unknown and workspace.exists(probe_record_path(key))
    if not is_trained:
        yield job.train.id
    for test_set in job.test_sets:
        name = test_set.corpus.id
        if is_trained and name not in unknown:
            identity = prediction_identity(
                key, job.source(stores[name]), test_set.corpus, in_domain=test_set.in_domain
            )
            if workspace.exists(predictions_path(digest_of(identity))):
                continue
        yield name
