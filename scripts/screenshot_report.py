"""Take the screenshots of a report for the documentation: docs/images/report-*.png.

The numbers are simulated, the names are neutral, and the page says so, because a picture must not
look like a result. The script needs Chromium and the extras `dev` and `report`.
"""

from __future__ import annotations

import io
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from PIL import Image

from sercore.reports.content import build_content
from sercore.reports.html import html_page
from sercore.results.stored_run import read_run
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "images"
MOST_BYTES = 200_000
COLOURS = 96
_CLASSES = ("happiness", "sadness", "disgust", "fear", "surprise", "anger", "neutral")
_QUALITY = (1.0, 0.97, 0.9, 0.72, 0.45, 0.3)
_LANGUAGES = ("Greek", "Italian", "Turkish", "French", "Estonian")
_PICTURES = (
    ("report-wide-light", 1400, 1000, False, ""),
    ("report-wide-dark", 1400, 1000, True, "matrices"),
    ("report-phone-light", 390, 844, False, ""),
    ("report-phone-dark", 390, 844, True, "cell"),
)
"""Name, width and height in pixels, dark, and what is shown."""


def main() -> None:
    """Write the screenshots."""
    sys.path.insert(0, str(ROOT / "tests"))
    headless = import_module("headless")  # the tests use it too, and are not a package
    executable = headless.find_browser()
    if executable is None:
        raise SystemExit("there is no Chromium on this machine")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_text(_page(Workspace(Path(folder) / "workspace")), encoding="utf-8")
        with headless.browser(executable) as page:
            for name, width, height, dark, shown in _PICTURES:
                page.size(width, height, phone=width < 600)
                page.dark(on=dark)
                cell = "#cell=encoder-1|corpus-a|corpus-b"
                page.open(file, cell if shown == "cell" else "#second=encoder-4")
                if shown == "matrices":
                    page.run(
                        "document.getElementById('matrices').scrollIntoView({behavior: 'instant'})"
                    )
                _write(name, page.screenshot())


def _write(name: str, picture: bytes) -> None:
    """Write a picture with few colours, which text and flat areas survive."""
    buffer = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    if buffer.tell() > MOST_BYTES:
        raise SystemExit(f"{name} has {buffer.tell()} bytes, more than {MOST_BYTES}")
    target = FOLDER / f"{name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(buffer.getvalue())
    print(f"{target.relative_to(ROOT)}: {buffer.tell()} bytes")


def _page(workspace: Workspace) -> str:
    corpora = [
        SimulatedCorpus(
            id=f"corpus-{letter}",
            utterances=300 + 130 * place,
            speakers=9 + 2 * place,
            classes=_CLASSES,
            eligible=letter != "j",
            demo=True,
            language=_LANGUAGES[place // 2],
            speech="read" if place % 3 else "acted",
        )
        for place, letter in enumerate("abcdefghij")
    ]
    backbones = {f"encoder-{place + 1}": (None, value) for place, value in enumerate(_QUALITY)}
    simulate_run(workspace, "simulated", corpora, backbones, n_seeds=3)
    return html_page(build_content([read_run(workspace, "simulated")]))


if __name__ == "__main__":
    main()
