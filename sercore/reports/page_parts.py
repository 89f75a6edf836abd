"""Style sheet and scripts, as pages contain them. They are the program's own texts."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from sercore.reports.colours import SERIES
from sercore.reports.colours import difference_colours
from sercore.reports.colours import heat_colours

if TYPE_CHECKING:
    from sercore.reports.colours import Scale


def style_sheet() -> str:
    """Return the style sheet of all pages, with the colours of light and dark."""
    from jinja2 import Environment
    from jinja2 import StrictUndefined

    environment = Environment(autoescape=False, undefined=StrictUndefined)  # noqa: S701 - CSS
    sheet = environment.from_string(text("templates", "report.css"))
    return sheet.render(series=SERIES, light=_colours(dark=False), dark=_colours(dark=True))


def script(*names: str) -> str:
    """Return scripts of the folder ``templates`` as one, whose names stay inside.

    Args:
        names: in an order in which each uses only names of those before it.
    """
    own = [text("templates", name) for name in names]
    return "\n".join(["(() => {", '"use strict";', *own, "})();"])


def library(name: str) -> str:
    """Return a script of the folder ``vendor``, without the address of a map of its sources."""
    return re.sub(r"^//# sourceMappingURL=.*$", "", text("vendor", name), flags=re.MULTILINE)


def text(folder: str, name: str) -> str:
    """Return a file of this package."""
    return files("sercore.reports").joinpath(folder, name).read_text(encoding="utf-8")


def _colours(*, dark: bool) -> dict[str, Scale]:
    """Return the scales by their letter in the style sheet."""
    return {"h": heat_colours(dark=dark), "d": difference_colours(dark=dark)}
