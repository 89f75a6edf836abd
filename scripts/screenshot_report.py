"""Take the screenshot of a report for the documentation: docs/images/report.png.

The numbers are simulated, the names are neutral, and the page says so, because a picture must not
look like a result. The script needs Chromium and the extras `dev` and `report`.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path

from sercore.reports.content import build_content
from sercore.reports.html import html_page
from sercore.results.stored_run import read_run
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "images" / "report.png"
MOST_BYTES = 400_000
_CLASSES = ("happiness", "sadness", "disgust", "fear", "surprise", "anger", "neutral")
_QUALITY = (1.0, 0.93, 0.9, 0.72, 0.45, 0.3)


def main() -> None:
    """Write the screenshot."""
    sys.path.insert(0, str(ROOT / "tests"))
    headless = import_module("headless")  # the tests use it too, and are not a package
    executable = headless.find_browser()
    if executable is None:
        raise SystemExit("there is no Chromium on this machine")
    with tempfile.TemporaryDirectory() as folder:
        page_file = Path(folder) / "report.html"
        page_file.write_text(_page(Workspace(Path(folder) / "workspace")), encoding="utf-8")
        with headless.browser(executable) as page:
            page.size(1180, 1560)
            page.open(page_file)
            picture = page.screenshot()
    if len(picture) > MOST_BYTES:
        raise SystemExit(f"the picture has {len(picture)} bytes, more than {MOST_BYTES}")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(picture)
    print(f"{TARGET.relative_to(ROOT)}: {len(picture)} bytes")


def _page(workspace: Workspace) -> str:
    corpora = [
        SimulatedCorpus(
            id=f"corpus-{letter}",
            utterances=300 + 70 * place,
            speakers=9 + 2 * place,
            classes=_CLASSES,
            eligible=letter != "g",
            demo=True,
        )
        for place, letter in enumerate("abcdefg")
    ]
    backbones = {f"encoder-{place + 1}": (None, value) for place, value in enumerate(_QUALITY)}
    simulate_run(workspace, "simulated", corpora, backbones)
    return html_page(build_content([read_run(workspace, "simulated")]))


if __name__ == "__main__":
    main()
