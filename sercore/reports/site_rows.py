"""The rows of a leaderboard over the results of several groups, and where each comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.evaluation.scores import DONE
from sercore.published import PAPER
from sercore.results.averages import average_intervals
from sercore.results.record import backbones_of
from sercore.results.record import section
from sercore.results.stored_run import reduce_of

if TYPE_CHECKING:
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Content
    from sercore.results.averages import AverageIntervals
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting
    from sercore.results.reductions import Reductions
    from sercore.results.stored_run import StoredRun

SiteCell = tuple[str, str | None, str, str | None]
"""Train corpus, its manifest, test corpus, its manifest: the same cell on the same data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteEntry:
    """A run or bundle of the site."""

    id: str
    """Name of its folder, unique on the site."""
    run: StoredRun
    content: Content
    manifests: Mapping[str, str | None]
    """Digest of the manifest by corpus; None where it is unknown or not the same in all scores."""

    @property
    def group(self) -> str | None:
        """Who computed it."""
        if self.run.is_published:
            return PAPER
        return self.run.bundle.group if self.run.bundle else None

    @property
    def title(self) -> str:
        """Its run, with the group."""
        return str(self.run.record.get("name") or self.run.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRow:
    """A backbone of an entry, over the cells of its matrix or over fewer."""

    entry: SiteEntry
    title: str
    result: BackboneResult
    reductions: Reductions
    intervals: AverageIntervals
    cells: frozenset[SiteCell]
    """The cells of its averages."""

    @property
    def setting(self) -> Setting:
        """What its cells have in common."""
        return self.result.matrix.setting

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The split seeds that all of its cells have."""
        return self.result.matrix.seeds

    @property
    def contents(self) -> dict[str, str | None]:
        """Digest of the manifest by corpus of its cells."""
        found: dict[str, str | None] = {}
        for train, of_train, test, of_test in self.cells:
            found |= {train: of_train, test: of_test}
        return dict(sorted(found.items()))

    @property
    def is_known(self) -> bool:
        """Whether the contents of all its corpora are known."""
        return None not in self.contents.values()

    @property
    def identity(self) -> tuple[object, ...]:
        """What two rows share that claim to have measured the same."""
        setting = self.setting
        weights = setting.weights or (setting.checkpoint or setting.backbone, setting.revision)
        variant = setting.backbone.partition(":")[2]
        return (
            *setting.comparison_key,
            *(weights, variant, setting.layer, setting.audio_path, setting.dtype, self.seeds),
        )

    @property
    def revision(self) -> str | None:
        """Commit of the weights, as its record states it."""
        described = backbones_of(self.entry.run.record).get(self.setting.backbone)
        return self.setting.revision or (described.revision if described else None)

    @property
    def sercore(self) -> str | None:
        """The version of sercore that computed it."""
        version = section(self.entry.run.record, "environment").get("sercore")
        return str(version) if version else None

    def over(self, cells: frozenset[SiteCell]) -> SiteRow:
        """Return the row over some of its cells."""
        pairs = {(train, test) for train, _, test, _ in cells}
        matrix = self.result.matrix.restricted(pairs)
        reductions = reduce_of(matrix, self.entry.run.record)
        return SiteRow(
            entry=self.entry,
            title=self.title,
            result=self.result,
            reductions=reductions,
            intervals=average_intervals(reductions, self.result.estimates),
            cells=_site_cells(self.entry, reductions.cells),
        )


def manifests_of(run: StoredRun) -> dict[str, str | None]:
    """Return the digest of the manifest of each corpus in the scores of a run."""
    found: dict[str, set[str | None]] = {}
    for row in run.headline_rows():
        if row.status == DONE:
            found.setdefault(row.cell.train_corpus, set()).add(row.cell.train_manifest)
            found.setdefault(row.cell.test_corpus, set()).add(row.cell.test_manifest)
    return {
        corpus: next(iter(digests)) if len(digests) == 1 else None
        for corpus, digests in sorted(found.items())
    }


def rows_of_entry(entry: SiteEntry) -> Iterator[tuple[ComparisonGroup, SiteRow]]:
    """Yield the rows of an entry, with the comparison that each belongs to."""
    for group in entry.content.groups:
        for result in group.backbones:
            row = SiteRow(
                entry=entry,
                title=result.title,
                result=result,
                reductions=result.reductions,
                intervals=result.intervals,
                cells=_site_cells(entry, result.reductions.cells),
            )
            if row.cells:
                yield group, row


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How the scores of two rows differ that claim to have measured the same."""

    other: SiteEntry
    cells: int
    """Cells that both have."""
    largest: float
    where: Pair

    @property
    def agrees(self) -> bool:
        """Whether all scores are the same, but for the last digits."""
        return self.largest <= _SAME


_SAME = 1e-9


def disagreements(row: SiteRow, others: Sequence[SiteRow]) -> list[Disagreement]:
    """Compare a row with the rows of other entries that claim to have measured the same."""
    found = []
    for other in others:
        shared = row.cells & other.cells if row.is_known and other.is_known else frozenset()
        if other.entry is row.entry or other.identity != row.identity or not shared:
            continue
        differences = {
            (train, test): abs(
                row.result.matrix.cells[train, test].value
                - other.result.matrix.cells[train, test].value
            )
            for train, _, test, _ in shared
        }
        where = max(sorted(differences), key=lambda pair: differences[pair])
        found.append(Disagreement(other.entry, len(differences), differences[where], where))
    return found


def usual_contents(rows: Sequence[SiteRow]) -> dict[str, str]:
    """Return the digest of each corpus that most rows have; of equally many, the first by name."""
    votes: dict[str, Counter[str]] = {}
    for row in rows:
        for corpus, digest in row.contents.items():
            if digest is not None:
                votes.setdefault(corpus, Counter())[digest] += 1
    return {
        corpus: min(counts, key=lambda digest: (-counts[digest], digest))
        for corpus, counts in votes.items()
    }


def _site_cells(entry: SiteEntry, pairs: frozenset[Pair]) -> frozenset[SiteCell]:
    known = entry.manifests
    return frozenset((train, known.get(train), test, known.get(test)) for train, test in pairs)
