"""Make the README of the core fit for a package index, where links into the repository are dead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?!https?:|mailto:|#)(?P<target>[^)\s]+)\)")


class IndexReadme(MetadataHookInterface):  # type: ignore[misc,unused-ignore]
    """Set ``readme`` to README.md with links that lead somewhere from anywhere.

    A link to a file of the repository leads to this version of the file at the project URL
    ``Source``. Where ``[project.urls]`` states none, only the text of the link stays.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the field to the metadata of the distribution."""
        source = metadata.get("urls", {}).get("Source")
        base = f"{source.rstrip('/')}/blob/v{metadata['version']}" if source else None
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, base)}


def absolute(text: str, base: str | None) -> str:
    """Return Markdown in which relative links start with ``base``, or are plain text without it."""

    def replaced(link: re.Match[str]) -> str:
        return f"[{link['text']}]({base}/{link['target']})" if base else link["text"]

    return _LINK.sub(replaced, text)
