"""Detect truncated recordings from the sizes that their containers declare.

A decoder reads an interrupted copy as a shorter clip. The containers below declare the size of
their sound, which is compared with the size of the file.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

# Written by programs that did not know the length at the start (pipes, live recordings).
_UNKNOWN_SIZE = 0x7FFFF000

_OGG_LAST_PAGE = 4
_OGG_MAX_PAGE = 65_307


def missing_bytes(file: BinaryIO) -> int:
    """Return how many of the bytes that a container declares are missing from its file.

    Knows WAVE, AIFF and AVI (chunks), MP4 and its relatives (boxes), MP3 with a header frame, and
    Ogg (the page that ends a stream; how much is missing is unknown there, so the answer is 1).
    Any other format counts as complete. Afterwards the file is at its first byte.

    Args:
        file: opened for reading, seekable.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    missing = 0
    if head[:4] == b"RIFF" and head[8:12] in (b"WAVE", b"AVI "):
        missing = _missing_in_chunks(file, size, "<", {b"data", b"LIST/movi"})
    elif head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        missing = _missing_in_chunks(file, size, ">", {b"SSND"})
    elif head[4:8] == b"ftyp":
        missing = _missing_in_boxes(file, size)
    elif head[:4] == b"OggS":
        missing = _missing_in_pages(file, size)
    elif head[:3] == b"ID3" or head[:1] == b"\xff":
        missing = _missing_in_frames(file, size, head)
    file.seek(0)
    return missing


def tag_length(head: bytes) -> int:
    """Return the number of bytes of the ID3 tag at the start of a file; 0 if there is none.

    Args:
        head: the first 10 bytes of the file, or more.
    """
    if head[:3] != b"ID3":
        return 0
    return 10 + sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(head[6:10]))


def _missing_in_chunks(file: BinaryIO, size: int, order: str, sound: set[bytes]) -> int:
    position = 12
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"LIST":
            name += b"/" + file.read(4)
        if name in sound:
            return 0 if length >= _UNKNOWN_SIZE else max(0, position + 8 + length - size)
        position += 8 + length + length % 2
    return 0


def _missing_in_boxes(file: BinaryIO, size: int) -> int:
    position = 0
    while position + 8 <= size:
        file.seek(position)
        (length,) = struct.unpack(">I", file.read(4))
        if length == 0:  # the box ends where the file ends
            return 0
        if length == 1:
            file.seek(position + 8)
            (length,) = struct.unpack(">Q", file.read(8).rjust(8, b"\0"))
        if length < 8:
            return 0
        position += length
    return max(0, position - size)


def _missing_in_pages(file: BinaryIO, size: int) -> int:
    file.seek(max(0, size - _OGG_MAX_PAGE))
    tail = file.read()
    start = tail.rfind(b"OggS")
    page = tail[start:] if start >= 0 else b""
    if len(page) < 27 or not page[5] & _OGG_LAST_PAGE:
        return 1
    segments = page[27 : 27 + page[26]]
    whole = len(segments) == page[26] and len(page) >= 27 + len(segments) + sum(segments)
    return 0 if whole else 1


def _missing_in_frames(file: BinaryIO, size: int, head: bytes) -> int:
    begin = tag_length(head)
    file.seek(begin)
    frame = file.read(64)
    mark = next((at for at in (frame.find(b"Xing"), frame.find(b"Info")) if at >= 0), None)
    if mark is None or len(frame) < mark + 16:
        return 0
    has_count, has_bytes = frame[mark + 7] & 1, frame[mark + 7] & 2
    at = mark + 8 + (4 if has_count else 0)
    return max(0, begin + int.from_bytes(frame[at : at + 4], "big") - size) if has_bytes else 0
