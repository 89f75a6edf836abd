"""The feature store: packing, precision of parts, damage."""

import numpy as np
import pytest

from sercore.errors import BackboneError
from sercore.errors import WorkspaceError
from sercore.features.store import ExtractedUtterance
from sercore.features.store import FeatureStore
from sercore.storage.workspace import Workspace

WIDTH = 4


def _store(tmp_path, utterances):
    identity = {"backbone": "b", "corpus": "c", "width": WIDTH, "utterances": utterances}
    return FeatureStore(Workspace(tmp_path), identity)


def _utterance(row, values, means=None):
    return ExtractedUtterance(
        row=row,
        utterance_id=str(row),
        path=f"{row}.wav",
        frames=np.asarray(values, dtype=np.float32),
        layer_means=None if means is None else np.asarray(means, dtype=np.float32),
        duration_s=1.0,
    )


def _random(seed, frames, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal((frames, WIDTH))


def _write(store, utterances, *, layer_means=False, part=0):
    store.write_part(part, utterances, layer_means=layer_means, plan={})


def test_frames_are_float16_and_read_without_a_copy(tmp_path):
    """Rows come back whatever the order they were written in, as views of one map."""
    store = _store(tmp_path, 3)
    values = {row: _random(row, 3 + row) for row in range(3)}
    _write(store, [_utterance(row, values[row]) for row in (2, 0, 1)])
    packed = store.open()

    assert (packed.n_frames, packed.blocks[0].dtype) == (12, np.float16)
    for row in range(3):
        np.testing.assert_array_equal(packed.frames(row), values[row].astype(np.float16))
        assert not packed.frames(row).flags.owndata


@pytest.mark.parametrize(
    ("largest", "dtype"), [(65_504.0, "float16"), (65_505.0, "float32"), (3e7, "float32")]
)
def test_value_beyond_float16_makes_the_part_float32(largest, dtype, tmp_path):
    """Never infinity; the record says which it is, and other parts stay as they are."""
    store = _store(tmp_path, 65)
    values = _random(0, 5)
    values[2, 1] = -largest
    _write(
        store, [_utterance(0, values), *(_utterance(row, _random(row, 2)) for row in range(1, 64))]
    )
    _write(store, [_utterance(64, _random(64, 2))], part=1)
    frames = store.open().frames(0)
    dtypes = [store._record(part)["dtype"] for part in (0, 1)]

    assert dtypes == [dtype, "float16"]
    assert np.isfinite(frames).all()
    assert frames[2, 1] == -largest


def test_layer_means_beyond_float16_are_kept(tmp_path):
    """Inner layers grow large where the last one does not."""
    store = _store(tmp_path, 2)
    means = [[[1e6, 0, 0, 0], [1, 2, 3, 4]], [[2, 0, 0, 0], [5, 6, 7, 8]]]
    _write(
        store,
        [_utterance(row, _random(row, 3), means[row]) for row in range(2)],
        layer_means=True,
    )

    assert store._record(0)["dtype"] == "float16"
    np.testing.assert_array_equal(store.layer_means(0)[:, 0], [1e6, 2])
    np.testing.assert_array_equal(store.layer_means(-1), [[1, 2, 3, 4], [5, 6, 7, 8]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_refused(value, tmp_path):
    """The message names the utterance, and no part is left behind."""
    store = _store(tmp_path, 2)
    values = _random(1, 3)
    values[1, 1] = value
    with pytest.raises(BackboneError, match="not finite for 1.wav"):
        _write(store, [_utterance(0, _random(0, 3)), _utterance(1, values)])

    assert store.missing_parts() == [0]
    assert not list(tmp_path.rglob("*.arrow"))


def test_means_that_were_not_kept_are_one_sentence(tmp_path):
    """It says how to get them."""
    store = _store(tmp_path, 1)
    _write(store, [_utterance(0, _random(0, 3))])
    with pytest.raises(WorkspaceError, match="no layer means"):
        store.layer_means(0)


def test_damaged_part_is_found_and_forgotten(tmp_path):
    """A changed byte is a damaged part; discarded, it is extracted again."""
    store = _store(tmp_path, 1)
    _write(store, [_utterance(0, _random(0, 300))])
    (file,) = tmp_path.rglob("*.arrow")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    again = _store(tmp_path, 1)

    assert again.verify() == [0]
    again.discard(0)

    assert again.missing_parts() == [0]


def test_unreadable_part_is_one_sentence(tmp_path):
    """Truncated by a full disk, say."""
    store = _store(tmp_path, 1)
    _write(store, [_utterance(0, _random(0, 30))])
    (file,) = tmp_path.rglob("*.arrow")
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(WorkspaceError, match="damaged|cannot be read"):
        store.open()
