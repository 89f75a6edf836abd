"""Which scanned utterances of a corpus can be used, and whether its copy is complete."""

from __future__ import annotations

from collections import Counter
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from sercore.corpora.interface import label_of
from sercore.corpora.problems import Problem
from sercore.errors import CorpusError
from sercore.errors import UnknownLabelError

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Corpus
    from sercore.corpora.interface import Utterance
    from sercore.corpora.labels import Emotion

_SHOWN = 5


def usable_utterances(
    corpus: Corpus, files: CorpusFiles, utterances: Iterable[Utterance], problems: list[Problem]
) -> list[Utterance]:
    """Return the utterances to evaluate, sorted by id, and append a problem for every other one.

    Args:
        corpus: the corpus.
        files: the copy, with the user's aliases of labels and labels to leave out.
        utterances: the scanned utterances.
        problems: gets a problem for every known bad, empty or repeated file.

    Raises:
        UnknownLabelError: a label is neither declared nor mapped by the user.
        CorpusError: the plugin returned a speaker that is not a tuple.
    """
    kept: dict[str, Utterance] = {}
    unknown: dict[str, list[str]] = defaultdict(list)
    for scanned in sorted(utterances, key=lambda one: (one.utterance_id, one.path)):
        _require_tuple(scanned)
        label = files.aliases.get(scanned.native_label, scanned.native_label)
        if label in files.ignored_labels or scanned.native_label in files.ignored_labels:
            continue
        utterance = (
            scanned if label == scanned.native_label else replace(scanned, native_label=label)
        )
        first = kept.get(utterance.utterance_id)
        reason = corpus.card.known_bad.get(utterance.utterance_id)
        if label not in corpus.labels:
            unknown[label].append(utterance.path)
        elif reason is not None:
            problems.append(Problem(kind="known-bad", where=utterance.path, message=reason))
        elif not utterance.size:
            problems.append(_empty(utterance))
        elif first is not None:
            problems.append(_repeated(utterance, first))
        else:
            kept[utterance.utterance_id] = utterance
    if unknown:
        raise _unknown_labels(corpus, unknown)
    return list(kept.values())


def count_problem(corpus: Corpus, reading: str, utterances: Iterable[Utterance]) -> Problem | None:
    """Return how the class counts differ from those of a complete copy; None if they do not."""
    expected = corpus.card.expected.get(reading)
    if expected is None:
        return None
    found: Counter[Emotion] = Counter()
    for native, number in Counter(utterance.native_label for utterance in utterances).items():
        found[label_of(corpus, native).paper] += number
    if expected.admits(found):
        return None
    if found.total() != expected.utterances:
        message = f"{found.total()} utterances where a complete copy has {expected.utterances}"
    else:
        differing = [
            f"{name} {found[name]} instead of {n}"
            for name, n in expected.classes.items()
            if found[name] != n
        ]
        message = f"the class counts differ from a complete copy: {', '.join(differing)}"
    return Problem(
        kind="count",
        where=corpus.card.id,
        message=message,
        hint="scores from it are not those of the complete corpus",
    )


def without_harmless(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems of a copy whose counts are complete.

    What could not be read then holds no utterance, so that becomes a note.
    """
    return [
        replace(problem, kind="skipped") if problem.kind == "unreadable" else problem
        for problem in problems
    ]


def _require_tuple(utterance: Utterance) -> None:
    speaker: object = utterance.speaker
    if speaker is not None and not isinstance(speaker, tuple):
        raise CorpusError(
            f"the corpus plugin gives the speaker of {utterance.utterance_id} as {speaker!r}, "
            "and a tuple of names is expected",
            hint=f"return speaker=({str(speaker)!r},) in the plugin",
        )


def _empty(utterance: Utterance) -> Problem:
    return Problem(
        kind="empty-file",
        where=utterance.path,
        message="the file is empty (0 bytes) and was skipped",
        hint="copy or download it again",
    )


def _repeated(utterance: Utterance, first: Utterance) -> Problem:
    return Problem(
        kind="duplicate-file",
        where=utterance.path,
        message=f"it is the same utterance as {first.path} and was skipped",
        hint="keep one of the two",
    )


def _unknown_labels(corpus: Corpus, unknown: dict[str, list[str]]) -> UnknownLabelError:
    """Return one error for all undeclared labels, with their counts and the two ways out."""
    seen = sorted(unknown.items(), key=lambda item: -len(item[1]))
    parts = [f"'{label}' ({len(paths)}, as in {paths[0]})" for label, paths in seen[:_SHOWN]]
    more = f" and {len(seen) - _SHOWN} more" if len(seen) > _SHOWN else ""
    declared = ", ".join(sorted(corpus.labels))
    label, target = seen[0][0], next(iter(sorted(corpus.labels)))
    return UnknownLabelError(
        f"{corpus.card.id}: {corpus.card.title} does not declare the label "
        f"{', '.join(parts)}{more}; it declares {declared}",
        hint=(
            "correct the names, or write under [datasets."
            f'{corpus.card.id}] in sercore.toml either aliases = {{"{label}" = "{target}"}} with '
            f'the right label, or ignore_labels = ["{label}"]'
        ),
    )
