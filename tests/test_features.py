"""The feature store: packing, precision of parts, damage."""

import numpy as np
import pytest

from sercore.corpora.manifest import PART_SIZE
from sercore.errors import BackboneError
from sercore.errors import WorkspaceError
from sercore.features.part_list import DamagedFeaturesError
from sercore.features.parts import FRAMES
from sercore.features.parts import MEANS
from sercore.features.parts import RECORD
from sercore.features.parts import ExtractedUtterance
from sercore.features.store import STORE
from sercore.features.store import FeatureStore
from sercore.storage.workspace import Workspace

WIDTH = 4


def _store(tmp_path, utterances, contents=None):
    """Return a store of as many utterances in parts, each part known by a content."""
    rows = np.split(np.arange(utterances), range(PART_SIZE, utterances, PART_SIZE))
    contents = contents or [f"content {part}" for part in range(len(rows))]
    identity = {
        "encoder": {"width": WIDTH},
        "corpus": "c",
        "audio": "/".join(contents),
        "utterances": utterances,
    }
    return FeatureStore(
        Workspace(tmp_path), identity, contents, lambda: rows, provenance={"backbone": "b"}
    )


def _utterance(row, values, means=None):
    return ExtractedUtterance(
        row=row,
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
    dtypes = [store.parts.record(part)["dtype"] for part in (0, 1)]

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

    assert store.parts.record(0)["dtype"] == "float16"
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


def _flip(file, position=0.5):
    content = bytearray(file.read_bytes())
    content[int(position * (len(content) - 1))] ^= 1
    file.write_bytes(content)


def test_damaged_part_is_found_and_forgotten(tmp_path):
    """A changed byte is a damaged part; discarded, it is extracted again."""
    store = _store(tmp_path, 1)
    _write(store, [_utterance(0, _random(0, 300))])
    (file,) = tmp_path.rglob("*.arrow")
    _flip(file)
    again = _store(tmp_path, 1)

    assert again.parts.verify() == [0]
    again.parts.discard(0)

    assert again.missing_parts() == [0]


def test_unreadable_part_is_one_sentence(tmp_path):
    """A part that a full disk cut short, for example."""
    store = _store(tmp_path, 1)
    _write(store, [_utterance(0, _random(0, 30))])
    (file,) = tmp_path.rglob("*.arrow")
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(WorkspaceError, match="is damaged"):
        store.open()


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone"])
@pytest.mark.parametrize("kind", [FRAMES, MEANS, RECORD])
def test_a_damaged_file_makes_its_part_missing(kind, damage, tmp_path):
    """Whatever happened to it: one sentence, and the other part stays."""
    store = _store(tmp_path, 65)
    utterances = [_utterance(row, _random(row, 3), np.ones((2, WIDTH))) for row in range(65)]
    _write(store, utterances[:64], layer_means=True)
    _write(store, utterances[64:], layer_means=True, part=1)
    before = store.open().frames(64).copy()
    file = tmp_path / store.files.path(store.part_keys[1], kind)
    if damage == "flipped":
        _flip(file)
    elif damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:100] if damage == "cut" else b"")
    again = _store(tmp_path, 65)

    assert again.parts.discard_damaged() == ([] if kind == RECORD else [1])
    assert again.missing_parts() == [1]
    is_told = (kind, damage) != (RECORD, "gone")
    assert again.damage == (
        ("part 1 of the frames of c was damaged and is extracted again",) if is_told else ()
    )
    _write(again, utterances[64:], layer_means=True, part=1)

    assert again.damage == ()
    np.testing.assert_array_equal(again.open().frames(64), before)


@pytest.mark.parametrize("look", ["open", "audio", "layer_means"])
def test_reading_a_damaged_part_forgets_it_and_says_so(look, tmp_path):
    """So that whoever catches it, or the next run, extracts it again."""
    store = _store(tmp_path, 1)
    _write(store, [_utterance(0, _random(0, 3), np.ones((2, WIDTH)))], layer_means=True)
    file = tmp_path / store.files.path(store.part_keys[0], FRAMES)
    position = file.read_bytes().index(np.float64(1.0).tobytes())  # the duration
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedFeaturesError) as caught:
        store.layer_means(0) if look == "layer_means" else getattr(store, look)()

    assert caught.value.damage == ("part 0 of the frames of c was damaged and is extracted again",)
    assert _store(tmp_path, 1).missing_parts() == [0]


def test_a_record_of_another_part_is_damage(tmp_path):
    """A record must not pass for that of the part whose name it has."""
    store = _store(tmp_path, 65)
    _write(store, [_utterance(row, _random(row, 3)) for row in range(64)])
    _write(store, [_utterance(64, _random(64, 3))], part=1)
    first, second = (tmp_path / store.files.path(key, RECORD) for key in store.part_keys)
    second.write_bytes(first.read_bytes())

    assert _store(tmp_path, 65).missing_parts() == [1]


def test_stores_share_the_parts_that_hold_the_same(tmp_path):
    """After a recording has changed, the other parts are there already."""
    store = _store(tmp_path, 65)
    _write(store, [_utterance(row, _random(row, 3)) for row in range(64)])
    _write(store, [_utterance(64, _random(64, 3))], part=1)
    changed = _store(tmp_path, 65, ["content 0", "other"])

    assert changed.key != store.key
    assert changed.missing_parts() == [1]


def test_a_store_is_read_from_its_description(tmp_path):
    """With its rows, and without a manifest; a damaged description is noticed and rewritten."""
    store = _store(tmp_path, 3)
    _write(store, [_utterance(row, _random(row, 3)) for row in range(3)])
    store.write_description()
    found = FeatureStore.find(Workspace(tmp_path), store.identity)

    assert (found.key, found.provenance) == (store.key, {"backbone": "b"})
    np.testing.assert_array_equal(found.open().frames(2), store.open().frames(2))
    _flip(tmp_path / store.folder / STORE)
    assert FeatureStore.find(Workspace(tmp_path), store.identity) is None
    store.open()
    assert FeatureStore.find(Workspace(tmp_path), store.identity).key == store.key


def test_a_renamed_recording_fails_under_its_new_name(tmp_path):
    """Parts know no names, so the messages that they keep are given those of the manifest."""
    store = _store(tmp_path, 1)
    failed = ExtractedUtterance(row=0, path="old.wav", error="old.wav is empty", error_kind="x")
    _write(store, [failed])
    rows = [np.array([0])]
    renamed = FeatureStore(
        Workspace(tmp_path), store.identity, ["content 0"], lambda: rows, lambda: ["new.wav"]
    )
    (problem,) = renamed.failures()

    assert (problem.where, problem.message) == ("new.wav", "new.wav is empty")
