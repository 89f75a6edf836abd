"""Real containers, written here and decoded, against the signal they hold."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import soxr

from sercore.audio.decode import read_file
from sercore.audio.decode import read_utterance
from sercore.corpora.files import CorpusFiles
from sercore.corpora.interface import Utterance
from sercore.errors import AudioError
from sercore.errors import SilentAudioError

SECONDS = 2.0
AMPLITUDE = 0.3
SIX = (200, 300, 400, 500, 600, 700)


def tones(rate, frequencies, seconds=SECONDS, amplitude=AMPLITUDE):
    """One sine per channel, float32 of shape (samples, channels)."""
    time = np.arange(round(rate * seconds)) / rate
    waves = [amplitude * np.sin(2 * np.pi * frequency * time) for frequency in frequencies]
    return np.stack(waves, axis=1).astype(np.float32)


def amplitudes(samples, rate, frequencies):
    """The amplitude of each frequency in the middle second of a waveform."""
    first = (len(samples) - rate) // 2
    part = samples[first : first + rate].astype(np.float64)
    time = np.arange(rate) / rate
    return [abs(np.mean(part * np.exp(-2j * np.pi * f * time))) * 2 for f in frequencies]


def write_by_ffmpeg(path, codec, rate, layout, signal, *, video=False, options=None):
    """Encode a signal by FFmpeg, beside a small moving picture if asked."""
    with av.open(str(path), "w", options=options or {}) as container:
        if video:
            picture = container.add_stream("mpeg4", rate=25)
            picture.width = picture.height = 32
            picture.pix_fmt = "yuv420p"
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        if video:
            for index in range(round(25 * len(signal) / rate)):
                pixels = np.full((32, 32, 3), index % 255, np.uint8)
                container.mux(picture.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
            container.mux(picture.encode())
        kind = {"s16": np.int16, "s32": np.int32}.get(stream.format.name.rstrip("p"), np.float32)
        if signal.dtype != kind:
            scale = np.iinfo(kind).max if kind is not np.float32 else 1
            signal = (signal.astype(np.float64) * scale).astype(kind)
        for first in range(0, len(signal), 1024):
            block = signal[first : first + 1024]
            data = block.T if stream.format.is_planar else block.reshape(1, -1)
            data = np.ascontiguousarray(data)
            frame = av.AudioFrame.from_ndarray(data, stream.format.name, layout)
            frame.sample_rate, frame.pts = rate, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def utterance(path, **facts):
    return Utterance(utterance_id=str(path), path=str(path), native_label="x", size=0, **facts)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """One recording in every container, by name: (file, source rate, frequency of each channel)."""
    folder = tmp_path_factory.mktemp("recordings")
    written = {}

    def by_libsndfile(name, rate, frequencies, **options):
        soundfile.write(folder / name, tones(rate, frequencies), rate, **options)
        written[name] = (folder / name, rate, frequencies)

    def by_ffmpeg(name, codec, rate, layout, frequencies, **options):
        write_by_ffmpeg(folder / name, codec, rate, layout, tones(rate, frequencies), **options)
        written[name] = (folder / name, rate, frequencies)

    by_libsndfile("pcm16.wav", 16_000, (440,), subtype="PCM_16")
    by_libsndfile("pcm24.wav", 48_000, (440,), subtype="PCM_24")
    by_libsndfile("float.wav", 22_050, (440,), subtype="FLOAT")
    by_libsndfile("stereo.wav", 48_000, (300, 700), subtype="PCM_16")
    by_libsndfile("a.aiff", 192_000, (440,), subtype="PCM_24")
    by_libsndfile("a.flac", 44_100, (300, 700))
    by_libsndfile("a.ogg", 44_100, (300, 700))
    by_ffmpeg("mono.mp3", "libmp3lame", 44_100, "mono", (440,))
    by_ffmpeg("a.m4a", "aac", 48_000, "mono", (440,))
    by_ffmpeg("stereo.m4a", "aac", 44_100, "stereo", (300, 700))
    by_ffmpeg("surround.mp4", "aac", 48_000, "5.1", SIX, video=True)
    by_ffmpeg("a.avi", "pcm_s16le", 48_000, "stereo", (300, 700), video=True)
    by_ffmpeg("a.mkv", "flac", 48_000, "stereo", (300, 700), video=True)
    return written


NAMES = (
    "pcm16.wav",
    "pcm24.wav",
    "float.wav",
    "stereo.wav",
    "a.aiff",
    "a.flac",
    "a.ogg",
    "mono.mp3",
    "a.m4a",
    "stereo.m4a",
    "surround.mp4",
    "a.avi",
    "a.mkv",
)
LOSSY = ("a.ogg", "mono.mp3", "a.m4a", "stereo.m4a", "surround.mp4")
EXACT = tuple(name for name in NAMES if name not in LOSSY)


class TestContainers:
    @pytest.mark.parametrize("name", NAMES)
    def test_rate_length_and_channels_are_those_of_the_signal(self, recordings, name):
        path, rate, frequencies = recordings[name]
        recording = read_file(path, 16_000)

        assert recording.source_rate == rate
        assert recording.source_channels == len(frequencies)
        assert recording.rate == 16_000
        assert recording.samples.dtype == np.float32
        assert recording.samples.ndim == 1
        # AAC works in blocks of 1024 samples and may keep the last one whole.
        allowed = 1152 / rate if name in LOSSY else 0
        assert 0 <= recording.duration_s - SECONDS <= allowed
        assert abs(len(recording.samples) - 16_000 * recording.duration_s) <= 1

    @pytest.mark.parametrize("name", NAMES)
    def test_mono_is_the_mean_of_the_channels(self, recordings, name):
        path, _, frequencies = recordings[name]
        recording = read_file(path, 16_000)
        share = AMPLITUDE / len(frequencies)
        measured = amplitudes(recording.samples, 16_000, frequencies)
        if name == "surround.mp4":
            # The channel for low frequencies keeps only those.
            measured, silent = measured[:3] + measured[4:], measured[3]
            assert silent < share / 2

        assert measured == pytest.approx([share] * len(measured), rel=0.05)

    @pytest.mark.parametrize("name", EXACT)
    def test_lossless_containers_give_the_signal_itself(self, recordings, name):
        path, rate, frequencies = recordings[name]
        recording = read_file(path, rate)
        expected = tones(rate, frequencies).mean(axis=1)

        np.testing.assert_allclose(recording.samples, expected, atol=2 / 32768)

    @pytest.mark.parametrize("name", ["stereo.wav", "a.flac", "a.avi", "stereo.m4a"])
    @pytest.mark.parametrize("channel", [0, 1])
    def test_one_channel_is_one_channel(self, recordings, name, channel):
        path, _, frequencies = recordings[name]
        files = CorpusFiles(path.parent)
        recording = read_utterance(files, utterance(name, channel=channel), 16_000)
        expected = [0.0, 0.0]
        expected[channel] = AMPLITUDE

        measured = amplitudes(recording.samples, 16_000, frequencies)
        assert measured == pytest.approx(expected, abs=0.01)
        assert recording.source_channels == 2

    def test_the_content_decides_not_the_name(self, recordings, tmp_path):
        for name, lie in (("a.m4a", "m4a.wav"), ("pcm16.wav", "wav.mp4"), ("mono.mp3", "mp3.flac")):
            (tmp_path / lie).write_bytes(recordings[name][0].read_bytes())
            honest, renamed = (
                read_file(recordings[name][0], 16_000),
                read_file(tmp_path / lie, 16_000),
            )

            assert renamed.digest == honest.digest

    @pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
    def test_every_sample_format_has_full_scale_one(self, tmp_path, subtype):
        signal = tones(16_000, (440,), amplitude=0.9)
        soundfile.write(tmp_path / "a.wav", signal, 16_000, subtype=subtype)
        # The same samples again, through FFmpeg: a container that libsndfile does not read.
        codec = {"PCM_U8": "pcm_u8", "FLOAT": "pcm_f32le", "DOUBLE": "pcm_f64le"}
        name = codec.get(subtype, f"pcm_s{subtype[4:]}le")
        with (
            av.open(str(tmp_path / "a.wav")) as source,
            av.open(str(tmp_path / "a.mkv"), "w") as target,
        ):
            stream = target.add_stream(name, rate=16_000)
            stream.layout = "mono"
            for frame in source.decode(audio=0):
                target.mux(stream.encode(frame))
            target.mux(stream.encode())
        tolerance = 0.01 if subtype == "PCM_U8" else 2 / 32768

        for file in ("a.wav", "a.mkv"):
            samples = read_file(tmp_path / file, 16_000).samples
            np.testing.assert_allclose(samples, signal[:, 0], atol=tolerance)

    def test_a_codec_that_libsndfile_lacks_is_left_to_ffmpeg(self, tmp_path):
        signal = tones(16_000, (440,))
        write_by_ffmpeg(tmp_path / "a.wav", "libmp3lame", 16_000, "mono", signal)
        recording = read_file(tmp_path / "a.wav", 16_000)

        assert amplitudes(recording.samples, 16_000, [440]) == pytest.approx([AMPLITUDE], rel=0.05)

    @pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_16"])
    def test_a_codec_that_cannot_seek_is_decoded(self, tmp_path, subtype):
        place = tmp_path / "a.wav"
        soundfile.write(place, tones(8000, (200,)), 8000, subtype=subtype)

        whole = read_file(place, 8000)
        part = read_utterance(
            CorpusFiles(tmp_path), utterance("a.wav", start_s=0.5, end_s=1.5), None
        )

        assert abs(whole.duration_s - SECONDS) < 0.05
        assert np.array_equal(part.samples, whole.samples[4000:12000])

    @pytest.mark.parametrize("suffix", [".wav", ".aiff", ".flac", ".ogg"])
    def test_an_id3_tag_before_the_container_is_skipped(self, tmp_path, suffix):
        plain, tagged = tmp_path / f"plain{suffix}", tmp_path / f"tagged{suffix}"
        soundfile.write(plain, tones(8000, (200,)), 8000)
        tag = b"ID3\x03\x00\x00\x00\x00\x01\x48" + bytes(200)
        tagged.write_bytes(tag + plain.read_bytes())
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(tagged.read_bytes()[:-1000])

        assert read_file(tagged, 8000).digest == read_file(plain, 8000).digest
        with pytest.raises(AudioError, match="truncated|decoded"):
            read_file(cut, 8000)


class TestParquet:
    @pytest.fixture
    def corpus(self, tmp_path):
        rows = []
        for index in range(7):
            buffer = io.BytesIO()
            rate = 44_100 if index % 2 else 16_000
            soundfile.write(buffer, tones(rate, (200 + 100 * index,)), rate, format="WAV")
            rows.append({"bytes": buffer.getvalue(), "path": f"{index}.wav"})
        table = pa.table({"name": [str(i) for i in range(7)], "speech": rows})
        pq.write_table(table, tmp_path / "train.parquet", row_group_size=3)
        return CorpusFiles(tmp_path)

    @pytest.mark.parametrize("row", range(7))
    def test_a_row_is_a_recording(self, corpus, row):
        recording = read_utterance(corpus, utterance("train.parquet", row=row), 16_000)

        measured = amplitudes(recording.samples, 16_000, [200 + 100 * row])
        assert measured == pytest.approx([AMPLITUDE], rel=0.01)
        assert recording.source_rate == (44_100 if row % 2 else 16_000)

    def test_a_plain_binary_column_will_do(self, tmp_path, recordings):
        data = recordings["pcm16.wav"][0].read_bytes()
        pq.write_table(pa.table({"audio": [data]}), tmp_path / "plain.parquet")
        recording = read_utterance(CorpusFiles(tmp_path), utterance("plain.parquet", row=0), 16_000)

        assert recording.digest == read_file(recordings["pcm16.wav"][0], 16_000).digest

    def test_a_file_that_was_replaced_is_read_anew(self, tmp_path, recordings):
        files, where = CorpusFiles(tmp_path), utterance("a.parquet", row=0)
        digests = []
        for name in ("pcm16.wav", "float.wav"):
            data = recordings[name][0].read_bytes()
            pq.write_table(pa.table({"audio": [data]}), tmp_path / "new.parquet")
            (tmp_path / "new.parquet").replace(tmp_path / "a.parquet")
            digests.append(read_utterance(files, where, 16_000).digest)

        assert digests[0] != digests[1]

    def test_what_is_not_there_is_named(self, corpus, tmp_path):
        with pytest.raises(AudioError, match=r"train\.parquet row 7: the file has only 7 rows"):
            read_utterance(corpus, utterance("train.parquet", row=7), 16_000)
        pq.write_table(pa.table({"name": ["a"]}), tmp_path / "names.parquet")
        with pytest.raises(AudioError, match=r"names\.parquet has no column of embedded audio"):
            read_utterance(corpus, utterance("names.parquet", row=0), 16_000)
        pq.write_table(pa.table({"a": pa.array([None], pa.binary())}), tmp_path / "null.parquet")
        with pytest.raises(AudioError, match=r"null\.parquet row 0 contains no audio"):
            read_utterance(corpus, utterance("null.parquet", row=0), 16_000)
        (tmp_path / "cut.parquet").write_bytes((tmp_path / "train.parquet").read_bytes()[:5000])
        with pytest.raises(AudioError, match=r"cut\.parquet row 0 cannot be decoded"):
            read_utterance(corpus, utterance("cut.parquet", row=0), 16_000)


class TestSpans:
    @pytest.fixture(scope="class")
    @staticmethod
    def long(tmp_path_factory):
        """Forty seconds, each with its own frequency, in several containers."""
        folder = tmp_path_factory.mktemp("long")
        rate = 16_000
        signal = np.concatenate([tones(rate, (200 + 50 * s,), 1.0) for s in range(40)])
        soundfile.write(folder / "a.wav", signal, rate)
        soundfile.write(folder / "a.flac", signal, rate)
        write_by_ffmpeg(folder / "a.m4a", "aac", rate, "mono", signal)
        return CorpusFiles(folder)

    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.m4a"])
    def test_recordings_are_cut_to_thirty_seconds(self, long, name):
        for rate in (16_000, 24_000, 44_100):
            recording = read_utterance(long, utterance(name), rate)

            assert len(recording.samples) == 30 * rate
            assert recording.duration_s == pytest.approx(40, abs=0.1)

    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.m4a"])
    def test_a_span_is_that_part(self, long, name):
        recording = read_utterance(long, utterance(name, start_s=33.0, end_s=34.5), 16_000)
        second = recording.samples[:16_000]

        assert len(recording.samples) == 24_000
        assert recording.duration_s == pytest.approx(1.5)
        assert amplitudes(second, 16_000, [200 + 50 * 33]) == pytest.approx([AMPLITUDE], rel=0.1)

    def test_a_span_may_be_longer_than_thirty_seconds(self, long):
        recording = read_utterance(long, utterance("a.wav", start_s=5.0, end_s=38.0), 16_000)

        assert len(recording.samples) == 30 * 16_000
        assert recording.duration_s == pytest.approx(33)

    def test_a_span_without_end_reaches_the_end(self, long):
        recording = read_utterance(long, utterance("a.wav", start_s=38.0), 16_000)

        assert len(recording.samples) == 2 * 16_000

    @pytest.mark.parametrize("span", [(41.0, 42.0), (39.0, 45.0), (-1.0, 2.0)])
    @pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
    def test_a_span_outside_the_recording_is_an_error(self, long, name, span):
        with pytest.raises(AudioError, match=rf"{name}: the utterance (begins|ends) at"):
            read_utterance(long, utterance(name, start_s=span[0], end_s=span[1]), 16_000)

    def test_a_channel_that_is_not_there_is_an_error(self, long):
        with pytest.raises(AudioError, match=r"a\.wav: the utterance is in channel 1"):
            read_utterance(long, utterance("a.wav", channel=1), 16_000)

    def test_a_long_recording_is_not_read_whole(self, long, tmp_path):
        """The first 30 s come out although what follows them is damaged."""
        data = bytearray(long.read("a.m4a"))
        data[-20_000:-10_000] = bytes(10_000)
        (tmp_path / "a.m4a").write_bytes(data)
        files = CorpusFiles(tmp_path)

        assert len(read_utterance(files, utterance("a.m4a"), 16_000).samples) == 30 * 16_000
        with pytest.raises(AudioError, match="cannot be decoded"):
            read_utterance(files, utterance("a.m4a", start_s=25.0), 16_000)


class TestDamage:
    @pytest.mark.parametrize("name", [name for name in NAMES if name != "a.mkv"])
    @pytest.mark.parametrize("kept", [0.5, 0.9])
    def test_a_truncated_file_is_an_error_not_a_shorter_clip(
        self, recordings, tmp_path, name, kept
    ):
        data = recordings[name][0].read_bytes()
        (tmp_path / name).write_bytes(data[: int(len(data) * kept)])

        with pytest.raises(AudioError, match=rf"{name} (is truncated|cannot be decoded)"):
            read_file(tmp_path / name, 16_000)

    @pytest.mark.parametrize("name", ["pcm16.wav", "pcm24.wav", "a.aiff", "a.flac", "a.ogg"])
    def test_a_single_missing_byte_is_noticed(self, recordings, tmp_path, name):
        (tmp_path / name).write_bytes(recordings[name][0].read_bytes()[:-1])

        with pytest.raises(AudioError, match=name):
            read_file(tmp_path / name, 16_000)

    def test_a_truncated_matroska_file_is_noticed_by_its_duration(self, tmp_path):
        path = write_by_ffmpeg(tmp_path / "a.mka", "aac", 16_000, "mono", tones(16_000, (440,)))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

        with pytest.raises(AudioError, match=r"a\.mka is truncated"):
            read_file(path, 16_000)

    @pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF])
    def test_a_header_that_never_knew_the_length_is_accepted(self, recordings, tmp_path, size):
        data = bytearray(recordings["pcm16.wav"][0].read_bytes())
        at = data.find(b"data") + 4
        data[at : at + 4] = size.to_bytes(4, "little")
        data[4:8] = b"\xff" * 4
        (tmp_path / "piped.wav").write_bytes(data)

        assert len(read_file(tmp_path / "piped.wav", 16_000).samples) == SECONDS * 16_000

    def test_chunks_before_and_after_the_sound_are_fine(self, recordings, tmp_path):
        data = recordings["pcm16.wav"][0].read_bytes()
        at = data.find(b"data")
        note = b"LIST" + (8).to_bytes(4, "little") + b"INFOabcd"
        odd = b"junk" + (3).to_bytes(4, "little") + b"abc\0"
        (tmp_path / "a.wav").write_bytes(data[:at] + odd + note + data[at:] + note)

        assert len(read_file(tmp_path / "a.wav", 16_000).samples) == SECONDS * 16_000

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "is empty"),
            (b"this is a text, not a recording\n" * 50, "cannot be decoded"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "cannot be decoded"),
            (
                b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0",
                "decoded",
            ),
            (b"\xff\xfb\x90\x00" + bytes(3), "cannot be decoded"),
            (b"OggS", "truncated"),
            (b"fLaC", "cannot be decoded"),
            (b"\0\0\0\x20ftyp", "truncated"),
        ],
    )
    def test_what_is_no_recording_is_an_error(self, tmp_path, content, says):
        (tmp_path / "a.wav").write_bytes(content)

        with pytest.raises(AudioError, match=rf"a\.wav .*{says}"):
            read_file(tmp_path / "a.wav", 16_000)

    def test_bytes_changed_midway_are_an_error(self, recordings, tmp_path):
        noise = np.random.default_rng(0).integers(0, 256, 300, dtype=np.uint8).tobytes()
        for name in ("a.flac", "a.m4a", "surround.mp4", "mono.mp3"):
            data = bytearray(recordings[name][0].read_bytes())
            middle = len(data) // 2
            data[middle : middle + 300] = noise
            (tmp_path / name).write_bytes(data)
            with pytest.raises(AudioError, match=rf"{name} cannot be decoded"):
                read_file(tmp_path / name, 16_000)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_samples_that_are_not_numbers_are_an_error(self, tmp_path, value):
        signal = tones(16_000, (440,))
        signal[100] = value
        soundfile.write(tmp_path / "a.wav", signal, 16_000, subtype="FLOAT")

        with pytest.raises(AudioError, match=r"a\.wav contains samples that are NaN"):
            read_file(tmp_path / "a.wav", 16_000)

    @pytest.mark.parametrize(("length", "says"), [(0, "no samples"), (100, "only zeros")])
    def test_silence_is_an_error_of_its_own(self, tmp_path, length, says):
        soundfile.write(tmp_path / "a.wav", np.zeros((length, 2)), 16_000)

        with pytest.raises(SilentAudioError, match=rf"a\.wav contains {says}"):
            read_file(tmp_path / "a.wav", 16_000)

    def test_a_film_without_sound_is_an_error(self, tmp_path):
        with av.open(str(tmp_path / "a.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width = stream.height = 32
            stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            container.mux(stream.encode(frame))
            container.mux(stream.encode())

        with pytest.raises(AudioError, match=r"a\.mp4 has no audio track"):
            read_file(tmp_path / "a.mp4", 16_000)

    def test_a_file_that_is_not_there_is_an_error(self, tmp_path):
        with pytest.raises(AudioError, match=r"none\.wav cannot be read: No such file"):
            read_file(tmp_path / "none.wav", 16_000)
        with pytest.raises(AudioError, match="cannot be read: Is a directory"):
            read_file(tmp_path, 16_000)


class TestDigest:
    def test_it_identifies_the_samples_whatever_holds_them(self, tmp_path):
        samples = np.round(tones(16_000, (440,)) * 32767).astype(np.int16)
        for name in ("a.wav", "b.flac", "c.aiff"):
            soundfile.write(tmp_path / name, samples, 16_000, subtype="PCM_16")
        write_by_ffmpeg(tmp_path / "d.avi", "pcm_s16le", 16_000, "mono", samples)
        digests = {read_file(path, 16_000).digest for path in tmp_path.iterdir()}

        assert len(digests) == 1

    def test_rate_channels_and_samples_enter(self, tmp_path):
        signal = tones(16_000, (440,))
        soundfile.write(tmp_path / "a.wav", signal, 16_000)
        soundfile.write(tmp_path / "b.wav", signal, 22_050)
        soundfile.write(tmp_path / "c.wav", np.repeat(signal, 2, axis=1), 16_000)
        soundfile.write(tmp_path / "d.wav", -signal, 16_000)
        digests = {read_file(path, 16_000).digest for path in sorted(tmp_path.iterdir())}

        assert len(digests) == 4

    def test_what_it_is_resampled_to_does_not_enter(self, recordings):
        path = recordings["stereo.wav"][0]

        assert read_file(path, 16_000).digest == read_file(path, 24_000).digest

    def test_channels_are_told_apart(self, recordings):
        files = CorpusFiles(recordings["stereo.wav"][0].parent)
        digests = {
            read_utterance(files, utterance("stereo.wav", channel=channel), 16_000).digest
            for channel in (None, 0, 1)
        }

        assert len(digests) == 3


class TestResampling:
    @pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
    @pytest.mark.parametrize("name", ["float.wav", "stereo.wav", "a.flac"])
    def test_direct_is_soxr_in_high_quality(self, recordings, name, rate):
        path, source_rate, _ = recordings[name]
        samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
        mono = samples.mean(axis=1, dtype=np.float64).astype(np.float32)
        expected = soxr.resample(mono, source_rate, rate, quality="HQ")

        np.testing.assert_array_equal(read_file(path, rate).samples, expected)

    def test_the_rate_it_has_is_left_alone(self, recordings):
        path = recordings["pcm16.wav"][0]
        samples, _ = soundfile.read(path, dtype="float32")

        np.testing.assert_array_equal(read_file(path, 16_000).samples, samples)

    @pytest.mark.torch
    @pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
    @pytest.mark.parametrize("name", ["pcm16.wav", "float.wav", "a.flac"])
    def test_paper_is_a_windowed_sinc_to_16_khz_first(self, recordings, name, rate):
        import torch
        from torchaudio.functional import resample
        from torchaudio.transforms import Resample

        path, source_rate, _ = recordings[name]
        samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
        mono = torch.from_numpy(samples.mean(axis=1, dtype=np.float64).astype(np.float32))
        expected = Resample(16_000, rate)(Resample(source_rate, 16_000)(mono))
        # The function rounds the kernel to float32 earlier than the transform does.
        nearly = resample(resample(mono, source_rate, 16_000), 16_000, rate)
        recording = read_file(path, rate, "paper")

        np.testing.assert_array_equal(recording.samples, expected.numpy())
        np.testing.assert_allclose(recording.samples, nearly.numpy(), atol=1e-5)
        assert abs(len(recording.samples) - len(read_file(path, rate).samples)) <= 2

    @pytest.mark.torch
    def test_worker_threads_get_what_one_thread_gets(self, recordings):
        jobs = [
            (recordings[name][0], rate, audio_path)
            for name in NAMES
            for rate in (16_000, 24_000)
            for audio_path in ("direct", "paper")
        ]
        alone = [read_file(*job).samples for job in jobs]
        with ThreadPoolExecutor(4) as pool:
            together = [
                recording.samples for recording in pool.map(lambda job: read_file(*job), jobs)
            ]

        for first, second in zip(alone, together, strict=True):
            np.testing.assert_array_equal(first, second)


REAL = Path(__file__).parents[1] / "../shared/corpora"


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared real recordings are not here")
def test_real_recordings_agree_with_libsndfile_alone():
    paths = sorted(REAL.rglob("*.wav"))[::25]
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        recording = read_file(path, rate)

        assert recording.source_channels == samples.shape[1]
        np.testing.assert_allclose(
            recording.samples, samples[: 30 * rate].mean(axis=1), rtol=1e-5, atol=1e-7
        )
    assert len(paths) > 10


def test_names_that_are_not_utf8_are_read(tmp_path, recordings):
    folder = tmp_path / os.fsdecode(b"Col\x8are")
    folder.mkdir()
    for name in ("pcm16.wav", "a.m4a"):
        (folder / name).write_bytes(recordings[name][0].read_bytes())
    files = CorpusFiles(tmp_path)

    for entry in files:
        assert read_utterance(files, utterance(entry.path), 16_000).samples.any()
