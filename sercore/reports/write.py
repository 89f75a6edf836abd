"""Write a report into a folder, format by format."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.reports.views import Content
    from sercore.storage.workspace import Workspace

FORMATS = ("html", "md", "latex", "csv", "parquet", "png", "svg", "pdf")
_NEEDED = {"jinja2": ("html",), "matplotlib": ("png", "svg", "pdf")}


def require_libraries(formats: Collection[str]) -> None:
    """Check that the libraries of the formats are installed.

    Raises:
        SettingsError: a library is missing.
    """
    for library, needed_by in _NEEDED.items():
        wanted = [name for name in needed_by if name in formats]
        if wanted and find_spec(library) is None:
            raise SettingsError(
                f"the format {wanted[0]} needs {library}, which is not installed",
                hint="pip install 'sercore[report]'",
            )


def write_report(
    content: Content, place: Workspace, folder: str, formats: Collection[str]
) -> list[str]:
    """Write a report and return the paths of its files, relative to the place.

    Args:
        content: the report.
        place: receives the files.
        folder: relative to the place; empty for the place itself.
        formats: some of `FORMATS`.

    Raises:
        SettingsError: a library is missing.
        WorkspaceError: a file cannot be written.
    """
    require_libraries(formats)
    written = []
    for name, data in _files(content, formats):
        relative = f"{folder}/{name}" if folder else name
        place.write_bytes(relative, data)
        written.append(relative)
    return written


def _files(content: Content, formats: Collection[str]) -> Iterator[tuple[str, bytes]]:
    if "html" in formats:
        from sercore.reports.html import html_page

        yield "report.html", html_page(content).encode()
    if "md" in formats:
        from sercore.reports.markdown import markdown_page

        yield "report.md", markdown_page(content).encode()
    if "latex" in formats:
        from sercore.reports.latex import latex_page

        yield "report.tex", latex_page(content).encode()
    if {"csv", "parquet"} & set(formats):
        yield from _tables(content, formats)
    kinds = [kind for kind in ("png", "svg", "pdf") if kind in formats]
    if kinds:
        from sercore.reports.drawing import file_of
        from sercore.reports.figures import drawings

        for group in content.groups:
            for drawing in drawings(group):
                for kind in kinds:
                    yield f"figures/{drawing.name}.{kind}", file_of(drawing, kind)


def _tables(content: Content, formats: Collection[str]) -> Iterator[tuple[str, bytes]]:
    import io

    import pyarrow.parquet as pq

    from sercore.reports.flat import averages_table
    from sercore.reports.flat import cells_table
    from sercore.reports.flat import csv_bytes

    for name, table in (("cells", cells_table(content)), ("averages", averages_table(content))):
        if "csv" in formats:
            yield f"{name}.csv", csv_bytes(table)
        if "parquet" in formats:
            buffer = io.BytesIO()
            pq.write_table(table, buffer, compression="zstd")
            yield f"{name}.parquet", buffer.getvalue()
