"""Select the files of a corpus by glob patterns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sercore.errors import CorpusError

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import CorpusCard


def glob_expression(*globs: str) -> re.Pattern[str]:
    """Return one expression for paths that match one of some glob patterns below any folder.

    ``*`` stays inside one folder, ``**`` crosses folders, and case is ignored.

    >>> bool(glob_expression("splits/*.txt").fullmatch("expresso/Splits/dev.txt"))
    True
    """
    parts = {r"\*\*": ".*", r"\*": "[^/!]*", r"\?": "[^/!]", r"\[": "[", r"\]": "]"}
    translated = (
        re.sub(r"\\\*\\\*|\\[*?\[\]]", lambda part: parts[part[0]], re.escape(glob))
        for glob in globs
    )
    return re.compile(f"(?:.*[/!])?(?:{'|'.join(translated)})", re.IGNORECASE)


def paths_like(files: CorpusFiles, *globs: str) -> list[str]:
    """Return the paths of a corpus that match one of some glob patterns, sorted."""
    expression = glob_expression(*globs)
    return [entry.path for entry in files if expression.fullmatch(entry.path)]


def require_paths(files: CorpusFiles, card: CorpusCard, *globs: str) -> list[str]:
    """Return the annotation files of a corpus.

    Raises:
        CorpusError: the corpus has no such file.
    """
    found = paths_like(files, *globs)
    if not found:
        raise CorpusError(
            f"{files.root} has no {' or '.join(globs)}, which {card.title} needs for its labels",
            hint="keep the annotation files of the download in the corpus's folder",
        )
    return found
