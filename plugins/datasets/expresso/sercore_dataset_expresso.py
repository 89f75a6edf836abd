"""Expresso: expressive readings, and conversations with one speaker a channel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sercore import CorpusCard
from sercore import CorpusError
from sercore import Counts
from sercore import Download
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import Label
from sercore import Problem
from sercore import Scan
from sercore import Utterance
from sercore import decode_text
from sercore import hookimpl
from sercore import paths_like

if TYPE_CHECKING:
    from sercore import CorpusFiles

SERCORE_API = 1

_BYTES_PER_SECOND = 48_000 * 3
"""Of one channel: 24 bits at 48 kHz."""

_LISTS = ("vad_segments.txt", "read_transcriptions.txt")
"""Lists in the top folder of the corpus."""

Span = tuple[float, float]
"""Start and end in seconds."""


def _named(found: Mapping[str, str | None]) -> dict[str, object]:
    style, variant = found["style"], found["variant"]
    return {
        "native_label": f"{style}_{variant}" if variant else style,
        "speaker": tuple((found["who"] or "").split("-")),
    }


_FILES = FileNameCorpus(
    card=CorpusCard(
        id="expresso",
        title="Expresso",
        language="English",
        language_code="eng",
        licence="CC BY-NC 4.0",
        access="open",
        homepage=(
            "https://github.com/facebookresearch/textlesslib/tree/main/examples/expresso/dataset"
        ),
        citation=(
            "Nguyen, Hsu, D'Avirro, Shi et al.: EXPRESSO. Interspeech 2023, arXiv:2308.05725, "
            "doi:10.21437/Interspeech.2023-1905"
        ),
        folders=("expresso",),
        obtain="Download expresso.tar (36 GB) and unpack it into the data folder.",
        expected={
            "paper": Counts(
                utterances=11954,
                classes={
                    Emotion.HAPPINESS: 3080,
                    Emotion.SADNESS: 1551,
                    Emotion.DISGUST: 24,
                    Emotion.FEAR: 8,
                    Emotion.SURPRISE: 8,
                    Emotion.ANGER: 13,
                    Emotion.OTHER: 4737,
                    Emotion.NEUTRAL: 2533,
                },
                tolerance={Emotion.OTHER: -11},
                tolerance_reason=(
                    "the 11 singing files are in no split list; a copy made from the lists has "
                    "none of them"
                ),
            ),
            "corrected": Counts(
                utterances=27056,
                classes={
                    Emotion.HAPPINESS: 4468,
                    Emotion.SADNESS: 2445,
                    Emotion.DISGUST: 1055,
                    Emotion.FEAR: 413,
                    Emotion.SURPRISE: 395,
                    Emotion.ANGER: 702,
                    Emotion.OTHER: 13053,
                    Emotion.NEUTRAL: 4525,
                },
                tolerance={Emotion.OTHER: -11},
                tolerance_reason="as in the reading 'paper'",
            ),
        },
        speakers=4,
        sets=("paper",),
        cluster="seven-class",
        ood_eligible=True,
        downloads=(
            Download(
                filename="expresso.tar",
                url="https://dl.fbaipublicfiles.com/textless_nlp/expresso/data/expresso.tar",
                md5="6bf580a4cd4392ae2473626147b5307c",
            ),
        ),
    ),
    pattern=(
        r"(?:conversational/(?=[^/]*-)|read/(?=[^-]*/))(?P<who>ex\d{2}(?:-ex\d{2})?)"
        r"/(?P<style>[a-z]+(?:-[a-z]+)?)/(?:(?:base|longform)/)?"
        r"(?P<id>(?P=who)_(?P=style)(?:_(?P<variant>[a-z]+))?_\d+)\.wav"
    ),
    labels={
        "default": Emotion.NEUTRAL,
        "default_emphasis": Emotion.NEUTRAL,
        "default_essentials": Emotion.NEUTRAL,
        "default_longform": Emotion.NEUTRAL,
        "confused": Emotion.OTHER,
        "enunciated": Emotion.OTHER,
        "happy": Emotion.HAPPINESS,
        "laughing": Emotion.HAPPINESS,
        "sad": Emotion.SADNESS,
        "whisper": Emotion.OTHER,
        "narration": Emotion.OTHER,
        "narration_longform": Emotion.OTHER,
        "singing": Emotion.OTHER,
        "angry": Emotion.ANGER,
        "awe": Label(Emotion.SURPRISE, concept="awe"),
        "bored": Label(Emotion.NEUTRAL, concept="boredom"),
        "calm": Label(Emotion.NEUTRAL, concept="calm"),
        "desire": Emotion.OTHER,
        "disgusted": Emotion.DISGUST,
        "fast": Emotion.OTHER,
        "fearful": Emotion.FEAR,
        "nonverbal": Emotion.OTHER,
        "projected": Emotion.OTHER,
        "sarcastic": Emotion.OTHER,
        "sleepy": Emotion.OTHER,
        # Two speakers, two styles: the paper took the pair for one label, of which 'sad' won.
        "animal-animaldir": Emotion.OTHER,
        "animaldir-animal": Emotion.OTHER,
        "child-childdir": Emotion.OTHER,
        "childdir-child": Emotion.OTHER,
        "sad-sympathetic": Emotion.SADNESS,
        "sympathetic-sad": Emotion.SADNESS,
        # The styles of one channel that occur only in pairs.
        "animal": Emotion.OTHER,
        "animaldir": Emotion.OTHER,
        "child": Emotion.OTHER,
        "childdir": Emotion.OTHER,
        "sympathetic": Emotion.OTHER,
    },
    side_files=("read_transcriptions.txt", "VAD_segments.txt", "splits/*", "metainfo*"),
    complete=_named,
)


@dataclass(frozen=True)
class Expresso:
    """Whole files, or conversations cut into stretches of speech of one speaker."""

    card: CorpusCard = _FILES.card

    @property
    def labels(self) -> Mapping[str, Emotion | Label]:
        """The meaning of every native label."""
        return _FILES.labels

    def identify(self, path: str) -> str | None:
        """Return the name of a recording, or None for any other path."""
        return _FILES.identify(path)

    def reads(self, path: str) -> bool:
        """Return whether a path is that of a recording or of a list."""
        return _FILES.reads(path) or PurePosixPath(path).name.lower() in _LISTS

    def scan(self, files: CorpusFiles, reading: str) -> Scan:
        """Read names and lists. See `sercore.corpora.interface.Corpus.scan`.

        Raises:
            CorpusError: the reading cuts conversations, and the file that says where is missing.
        """
        scan = _FILES.scan(files, reading)
        problems = list(scan.problems)
        splits = _splits(files, problems)
        transcripts = _lines(files, "read_transcriptions.txt")
        texts = {name: " ".join(text.split()) for name, text in transcripts if text}
        problems += _missing(splits, {utterance.utterance_id for utterance in scan.utterances})
        if reading == "corrected":
            utterances: Sequence[Utterance] = list(_cut(files, scan.utterances, problems))
        else:
            utterances = scan.utterances
        return Scan(
            utterances=tuple(
                replace(
                    utterance,
                    official_split=_split_of(utterance, splits),
                    text_id=texts.get(utterance.utterance_id),
                )
                for utterance in utterances
            ),
            problems=tuple(problems),
        )


def _cut(
    files: CorpusFiles, utterances: Sequence[Utterance], problems: list[Problem]
) -> Iterator[Utterance]:
    """Yield readings as they are, and stretches of speech of one speaker in conversations."""
    whole = [utterance for utterance in utterances if len(utterance.speaker or ()) > 1]
    stretches: dict[str, dict[int, list[Span]]] = {}
    if whole:
        stretches = _stretches(files)
    yield from (utterance for utterance in utterances if len(utterance.speaker or ()) == 1)
    for utterance in whole:
        channels = stretches.pop(utterance.utterance_id, None)
        if channels is None:
            problems.append(
                Problem(
                    kind="missing-annotation",
                    where=utterance.path,
                    message="VAD_segments.txt has no line for it, so it was skipped",
                    hint="take VAD_segments.txt from a fresh copy of the corpus",
                )
            )
            continue
        styles = utterance.native_label.split("-")
        for channel, spans in sorted(channels.items()):
            for number, (start, end) in enumerate(spans, start=1):
                yield replace(
                    utterance,
                    utterance_id=f"{utterance.utterance_id}/channel{channel}/{number:04}",
                    native_label=styles[(channel - 1) % len(styles)],
                    speaker=(utterance.speaker or ())[channel - 1 : channel],
                    channel=channel - 1,
                    start_s=start,
                    end_s=end,
                    size=round((end - start) * _BYTES_PER_SECOND),
                )
    problems.extend(
        Problem(
            kind="missing-file",
            where=name,
            message="VAD_segments.txt cuts this conversation, and its file is missing",
            hint="complete the copy of the corpus",
        )
        for name in stretches
    )


def _stretches(files: CorpusFiles) -> dict[str, dict[int, list[Span]]]:
    """Read the times of speech in every channel (1 or 2) of every conversation."""
    found: dict[str, dict[int, list[Span]]] = {}
    for name, rest in _lines(files, "VAD_segments.txt"):
        if "-" not in name:  # long read texts, which stay whole
            continue
        conversation, _, channel = name.rpartition("/channel")
        if channel not in ("1", "2"):
            raise CorpusError(
                f"VAD_segments.txt names '{name}', where a name and /channel1 or /channel2 "
                "was expected",
                hint="take it from a fresh copy of the corpus",
            )
        found.setdefault(conversation, {}).setdefault(int(channel), []).extend(_spans(rest, name))
    if not found:
        raise CorpusError(
            f"{files.root} has no VAD_segments.txt, which has the times of speech in conversations",
            hint="copy it from the download, or use --reading paper, which keeps them whole",
        )
    return found


def _splits(files: CorpusFiles, problems: list[Problem]) -> dict[str, list[tuple[str, Span]]]:
    """Read the part of the official split of every file, or of its stretches."""
    found: dict[str, list[tuple[str, Span]]] = {}
    for part in ("train", "dev", "test"):
        for name, rest in _lines(files, f"splits/{part}.txt"):
            spans = list(_spans(rest, name)) or [(0.0, float("inf"))]
            found.setdefault(name, []).extend((part, span) for span in spans)
    if not found:
        problems.append(
            Problem(
                kind="missing-annotation",
                where="splits",
                message="the lists of the official splits are missing",
                hint="take the folder 'splits' from the download",
            )
        )
    return found


def _split_of(utterance: Utterance, splits: Mapping[str, list[tuple[str, Span]]]) -> str | None:
    """Return the part that an utterance belongs to; None where it spans two or is in none."""
    listed = splits.get(utterance.utterance_id.partition("/")[0], [])
    if utterance.start_s is not None and utterance.end_s is not None:
        middle = (utterance.start_s + utterance.end_s) / 2
        listed = [(part, span) for part, span in listed if span[0] <= middle < span[1]]
    parts = {part for part, _ in listed}
    return parts.pop() if len(parts) == 1 else None


def _missing(splits: Mapping[str, object], present: set[str]) -> Iterator[Problem]:
    """Report listed files that are not here, a whole part of the corpus as one."""
    for part, is_part in (("conversational", True), ("read", False)):
        listed = {name for name in splits if ("-" in name) is is_part}
        absent = sorted(listed - present)
        if len(absent) > 1 and len(absent) == len(listed):
            absent = [f"audio_48khz/{part}"]
        yield from (
            Problem(
                kind="missing-file",
                where=name,
                message="the lists of the official splits name it, and the file is missing",
                hint="complete the copy of the corpus",
            )
            for name in absent
        )


def _lines(files: CorpusFiles, glob: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the rest of every line of a list, without comments.

    A tab separates the two.
    """
    for path in paths_like(files, glob):
        for line in decode_text(files.read(path)).splitlines():
            name, _, rest = line.partition("\t")
            if name.strip() and not name.startswith("#"):
                yield name.strip().removesuffix(".wav"), rest.strip()


def _spans(text: str, name: str) -> Iterator[Span]:
    """Yield the pairs ``(start, end)`` of a line, in seconds.

    ``(,60.0s)`` begins at the start of the file, ``(60.0s,)`` ends at its end.
    """
    for start, end in re.findall(r"\(([^,()]*),([^,()]*)\)", text):
        try:
            yield float(start.strip(" s") or 0), float(end.strip(" s") or "inf")
        except ValueError:
            raise CorpusError(
                f"the list of {name} holds '({start},{end})', where two times were expected",
                hint="take it from a fresh copy of the corpus",
            ) from None


EXPRESSO = Expresso()


@hookimpl
def sercore_corpora() -> list[Expresso]:
    return [EXPRESSO]
