"""Colours of heat maps and series, for light and dark pages, with text that stays readable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

N_LEVELS = 21
"""Steps of a heat map; few enough for one CSS class each."""

GAMMA = 0.6
"""Out-of-domain scores crowd near 0.2, so low values get more of the scale."""

SERIES = (
    ("#0072b2", "#56b4e9"), ("#d55e00", "#ff9f5a"), ("#007a5a", "#3fcf9f"), ("#b5478b", "#e59ac7"),
    ("#7a6a00", "#e0cf3c"), ("#5b4bb5", "#a99cf2"), ("#a3262a", "#ff8a8a"), ("#2f6f77", "#7fd3dc"),
    ("#6b4a2b", "#d3a77c"), ("#4d4d4d", "#c8c8c8"),
)  # fmt: skip
"""Series colours on light and on dark ground, after Okabe and Ito; marks differ in shape too."""

MARKERS = "osD^vP*Xph"

_LIGHT = ("#f7fbfc", "#cfe6e8", "#8cc3cf", "#4593ac", "#1d6488", "#0b3a5e")
_DARK = ("#17202a", "#1d3a4c", "#22607a", "#2b8f9d", "#63c1b4", "#c3efcf")
_LIGHT_DIFFERENCES = ("#8f3d0c", "#dd8a4f", "#f7dcc6", "#f4f5f6", "#c9e2ee", "#5ba6cc", "#0d527c")
_DARK_DIFFERENCES = ("#f2a56b", "#a65a22", "#4b3019", "#1d242b", "#16384d", "#2a79a5", "#86cbf0")
_INK = "#000000"  # of black and white one always has a contrast above 4.5
_PAPER = "#ffffff"

Scale = tuple[tuple[str, str], ...]
"""Ground and ink of each step."""


def level(value: float) -> int:
    """Return the step of a value between 0 and 1.

    >>> level(0.0), level(1.0)
    (0, 20)
    """
    clipped = min(max(value, 0.0), 1.0)
    return round(float(clipped**GAMMA) * (N_LEVELS - 1))


@cache
def heat_colours(*, dark: bool) -> Scale:
    """Return the scale of heat maps; every pair has a contrast of 4.5 or more."""
    return _scale(_DARK if dark else _LIGHT)


@cache
def difference_colours(*, dark: bool) -> Scale:
    """Return the scale of differences, from worse over equal to better."""
    return _scale(_DARK_DIFFERENCES if dark else _LIGHT_DIFFERENCES)


def _scale(stops: Sequence[str]) -> Scale:
    grounds = [_between(stops, step / (N_LEVELS - 1)) for step in range(N_LEVELS)]
    return tuple(
        (ground, max((_INK, _PAPER), key=lambda ink: contrast(ground, ink))) for ground in grounds
    )


def _between(stops: Sequence[str], share: float) -> str:
    """Return the colour at a share of the way through some colours."""
    place = share * (len(stops) - 1)
    first = min(int(place), len(stops) - 2)
    mixed = [
        round(low + (place - first) * (high - low))
        for low, high in zip(_channels(stops[first]), _channels(stops[first + 1]), strict=True)
    ]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, 1.4.3), between 1 and 21."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _channels(colour: str) -> list[int]:
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


def _luminance(colour: str) -> float:
    channels = [channel / 255 for channel in _channels(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    red, green, blue = linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
