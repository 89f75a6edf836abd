"""Any container to mono float32 at a rate, at most 30 s.

WAVE, FLAC, Ogg and AIFF are decoded by libsndfile, everything else (MP3, AVI, MP4, M4A, ...) by
FFmpeg through PyAV. The content selects the decoder, not the file's name. All functions are
thread-safe.

A truncated recording, or one on which a decoder fails midway, is an error, never a shorter clip.
"""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import BinaryIO

from sercore.audio.embedded import embedded_bytes
from sercore.audio.resample import resample
from sercore.audio.truncation import missing_bytes
from sercore.audio.truncation import tag_length
from sercore.backbones.interface import MAX_SECONDS
from sercore.errors import AudioError
from sercore.errors import SilentAudioError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.backbones.interface import AudioPath
    from sercore.backbones.interface import Waveform
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Utterance

_LENGTH_TOLERANCE_S = 0.25
"""Containers may count the priming of their codec as sound, and they round."""

_SPAN_TOLERANCE_S = 0.5
"""An annotation may end at most this much after its recording."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """One utterance, decoded.

    The number of frames that an encoder keeps depends on the length of `samples`, after
    resampling. The two audio paths can differ by a sample.
    """

    samples: Waveform
    """float32 of shape (samples,), mono, at most 30 s."""
    rate: int
    """Hertz of `samples`."""
    source_rate: int
    """Hertz of the file."""
    source_channels: int
    """Channels of the file."""
    duration_s: float
    """Seconds of the utterance before it was cut to 30 s. With FFmpeg, the part beyond the cut is
    the container's declaration."""
    digest: str
    """SHA-256 (hexadecimal) over rate, number of channels and the decoded samples before mixing
    and resampling, as little-endian float32. It covers what was read: at most the first 30 s, and
    one channel if the utterance names one. Equal digests mean equal audio, in any container."""


@dataclass(frozen=True, slots=True)
class _Clip:
    """Decoded samples of a span: float32 (samples, channels) at the source's rate."""

    samples: npt.NDArray[np.float32]
    rate: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """One utterance as its file holds it, before mixing and resampling."""

    samples: npt.NDArray[np.float32]
    """float32 of shape (samples, channels), at most 30 s; one channel if the utterance names it."""
    mono: Waveform
    """float32 of shape (samples,): the mean of the channels."""
    rate: int
    """Hertz."""
    channels: int
    """Channels of the file."""
    duration_s: float
    """See `Recording.duration_s`."""

    @property
    def digest(self) -> str:
        """See `Recording.digest`."""
        return _digest(self.samples, self.rate)


@dataclass(frozen=True, slots=True)
class _Span:
    """The part of a file to read, in seconds."""

    start_s: float = 0.0
    end_s: float | None = None

    def frames(self, rate: int) -> tuple[int, int]:
        """Return the index of the first sample and of the one after the last."""
        first = round(self.start_s * rate)
        stop = first + round(MAX_SECONDS * rate)
        return first, stop if self.end_s is None else min(stop, round(self.end_s * rate))

    def duration_s(self, total_s: float, name: str) -> float:
        """Return the length of the span in a file of `total_s` seconds.

        Raises:
            AudioError: the span is not inside the file.
        """
        if self.start_s < 0 or self.start_s > total_s:
            raise AudioError(
                f"{name}: the utterance begins at {self.start_s:g} s, and the recording lasts "
                f"{total_s:.2f} s",
                hint="the recording or its annotation is incomplete",
            )
        if self.end_s is None:
            return total_s - self.start_s
        if self.end_s > total_s + _SPAN_TOLERANCE_S:
            raise AudioError(
                f"{name}: the utterance ends at {self.end_s:g} s, and the recording lasts "
                f"{total_s:.2f} s",
                hint="the recording or its annotation is incomplete",
            )
        return min(self.end_s, total_s) - self.start_s


def read_utterance(
    files: CorpusFiles,
    utterance: Utterance,
    rate: int | None,
    audio_path: AudioPath = "direct",
) -> Recording:
    """Decode one utterance of a corpus.

    Only the utterance's own span is decoded, at most 30 s of it (FFmpeg also decodes, and drops,
    what lies before).

    Args:
        files: the corpus on disk.
        utterance: its file, row of a Parquet file, time span and channel.
        rate: hertz of the result; None keeps the rate of the file.
        audio_path: the method of resampling, see `sercore.backbones.interface.AudioPath`.

    Raises:
        AudioError: it cannot be decoded or is truncated; the message names the file.
        SilentAudioError: it has no samples, or only zeros.
    """
    return _recording(read_source(files, utterance), rate, audio_path)


def read_source(files: CorpusFiles, utterance: Utterance) -> Source:
    """Decode one utterance of a corpus, without resampling. Errors are those of `read_utterance`.

    Args:
        files: the corpus on disk.
        utterance: its file, row of a Parquet file, time span and channel.
    """
    span = _Span(utterance.start_s or 0.0, utterance.end_s)
    name = utterance.path
    try:
        if utterance.row is None:
            with files.open(utterance.path) as file:
                clip = _decode(file, span, name)
        else:
            name = f"{utterance.path} row {utterance.row}"
            embedded = embedded_bytes(files.locate(utterance.path), utterance.row, name)
            clip = _decode(io.BytesIO(embedded), span, name)
    except OSError as error:
        raise _unreadable(name, error) from error
    return _source(clip, utterance.channel, name)


def read_file(path: Path, rate: int, audio_path: AudioPath = "direct") -> Recording:
    """Decode one audio file, mixed to mono. Arguments and errors are those of `read_utterance`."""
    try:
        with path.open("rb") as file:
            clip = _decode(file, _Span(), str(path))
    except OSError as error:
        raise _unreadable(str(path), error) from error
    return _recording(_source(clip, None, str(path)), rate, audio_path)


def _source(clip: _Clip, channel: int | None, name: str) -> Source:
    import numpy as np

    channels = clip.samples.shape[1]
    source = clip.samples
    if channel is not None:
        if not 0 <= channel < channels:
            raise AudioError(
                f"{name}: the utterance is in channel {channel}, and the recording has {channels} "
                "counted from 0",
                hint="replace the file by the copy that the authors distribute",
            )
        source = source[:, channel : channel + 1]
    if not np.isfinite(source).all():
        raise AudioError(
            f"{name} contains samples that are NaN or infinite",
            hint="replace it by an undamaged copy",
        )
    # float64 accumulation keeps the mean the same whatever the channels' memory layout.
    mono = source.mean(axis=1, dtype=np.float64).astype(np.float32)
    if not mono.any():
        what = "only zeros" if len(mono) else "no samples"
        raise SilentAudioError(
            f"{name} contains {what}", hint="replace it by a copy with sound, or remove it"
        )
    return Source(
        samples=source, mono=mono, rate=clip.rate, channels=channels, duration_s=clip.duration_s
    )


def _recording(source: Source, rate: int | None, audio_path: AudioPath) -> Recording:
    mono = source.mono
    return Recording(
        samples=mono if rate is None else resample(mono, source.rate, rate, audio_path),
        rate=rate or source.rate,
        source_rate=source.rate,
        source_channels=source.channels,
        duration_s=source.duration_s,
        digest=source.digest,
    )


def _digest(samples: npt.NDArray[np.float32], rate: int) -> str:
    import numpy as np

    digest = hashlib.sha256(f"{rate} {samples.shape[1]} ".encode())
    digest.update(np.ascontiguousarray(samples, dtype="<f4").data)
    return digest.hexdigest()


def _decode(file: BinaryIO, span: _Span, name: str) -> _Clip:
    head = file.read(12)
    if not head:
        raise AudioError(f"{name} is empty", hint="replace it by an undamaged copy")
    if tagged := tag_length(head):
        file.seek(tagged)
        if _is_for_libsndfile(file.read(12)):  # MP3 files keep their tag
            file.seek(tagged)
            return _decode(io.BytesIO(file.read()), span, name)
    if missing := missing_bytes(file):
        raise _truncated(name, f"at least {missing} bytes are missing")
    reason = None
    if _is_for_libsndfile(head):
        import soundfile

        try:
            sound = soundfile.SoundFile(_handle(file), closefd=False)
        except soundfile.LibsndfileError as error:
            reason = error.error_string
        else:
            with sound:
                # Only FFmpeg counts the samples of MPEG frames exactly.
                if not sound.subtype.startswith("MPEG"):
                    return _decode_with_libsndfile(sound, span, name)
        # libsndfile knows the container but not the codec, so FFmpeg decodes it. libsndfile moved
        # the descriptor without the buffer's knowledge; a seek from the end synchronises the two.
        file.seek(0, os.SEEK_END)
        file.seek(0)
    return _decode_with_ffmpeg(file, span, name, reason)


def _is_for_libsndfile(head: bytes) -> bool:
    kind, form = head[:4], head[8:12]
    if kind in (b"RIFF", b"RIFX", b"RF64"):
        return form == b"WAVE"
    if kind == b"FORM":
        return form in (b"AIFF", b"AIFC")
    return kind in (b"fLaC", b"OggS")


def _handle(file: BinaryIO) -> int | BinaryIO:
    """Return the file descriptor, which libsndfile reads fastest, if the file has one."""
    try:
        descriptor = file.fileno()
    except OSError:
        file.seek(0)
        return file
    os.lseek(descriptor, 0, os.SEEK_SET)  # libsndfile reads from the current offset
    return descriptor


def _decode_with_libsndfile(sound: Any, span: _Span, name: str) -> _Clip:
    import soundfile

    rate, total = int(sound.samplerate), int(sound.frames)
    duration_s = span.duration_s(total / rate, name)
    first, stop = span.frames(rate)
    wanted = min(stop, total) - first
    try:
        if sound.seekable():
            sound.seek(first)
        elif first:  # some codecs, such as GSM, decode from the start only
            sound.read(first, dtype="float32")
        samples = sound.read(wanted, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise _undecodable(name, error.error_string) from error
    if len(samples) < wanted:
        raise _truncated(name, f"{wanted - len(samples)} samples are missing")
    return _Clip(samples, rate, duration_s)


def _decode_with_ffmpeg(file: BinaryIO, span: _Span, name: str, reason: str | None = None) -> _Clip:
    import av
    import numpy as np

    try:
        with av.open(file, mode="r", metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise AudioError(
                    f"{name} has no audio track", hint="replace it by a copy with an audio track"
                )
            stream = container.streams.audio[0]
            rate, channels = 0, 0
            parts: list[npt.NDArray[np.float32]] = []
            position, first, stop = 0, 0, 1
            ended = True
            for frame in container.decode(stream):
                if not rate:
                    rate, channels = frame.sample_rate, frame.layout.nb_channels
                    first, stop = span.frames(rate)
                elif (frame.sample_rate, frame.layout.nb_channels) != (rate, channels):
                    raise _undecodable(name, "its rate or its number of channels changes midway")
                if position >= stop:
                    ended = False
                    break
                samples = _frame_samples(frame, channels)
                parts.append(samples[max(0, first - position) : max(0, stop - position)])
                position += len(samples)
            declared_s = _declared_seconds(container, stream)
            audio_only = len(container.streams) == 1
    except (av.FFmpegError, ValueError, EOFError) as error:
        detail = reason or getattr(error, "strerror", None) or str(error)
        raise _undecodable(name, detail) from error
    if not rate:
        raise SilentAudioError(
            f"{name} contains no samples", hint="replace it by a copy with sound, or remove it"
        )
    total_s = position / rate if ended or declared_s is None else declared_s
    if audio_only and declared_s is not None and total_s < declared_s - _LENGTH_TOLERANCE_S:
        raise _truncated(name, f"{declared_s - total_s:.2f} s of {declared_s:.2f} s are missing")
    return _Clip(np.concatenate(parts), rate, span.duration_s(total_s, name))


def _declared_seconds(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / 1e6


def _frame_samples(frame: Any, channels: int) -> npt.NDArray[np.float32]:
    """Return a decoded frame as float32 of shape (samples, channels), full scale 1."""
    import numpy as np

    raw = frame.to_ndarray()
    planar = raw.T if frame.format.is_planar else raw.reshape(-1, channels)
    if raw.dtype.kind == "f":
        return np.asarray(planar, dtype=np.float32)
    zero, full_scale = (128, 128) if raw.dtype.kind == "u" else (0, 2 ** (8 * raw.itemsize - 1))
    return np.asarray((planar - np.float64(zero)) / full_scale, dtype=np.float32)


def _truncated(name: str, detail: str) -> AudioError:
    return AudioError(f"{name} is truncated: {detail}", hint="copy or download it again")


def _undecodable(name: str, detail: str) -> AudioError:
    reason = " ".join(detail.split()).rstrip(".")
    return AudioError(f"{name} cannot be decoded: {reason}", hint="replace it by an undamaged copy")


def _unreadable(name: str, error: OSError) -> AudioError:
    return AudioError(
        f"{name} cannot be read: {error.strerror or error}",
        hint="check that it exists and its permissions",
    )
