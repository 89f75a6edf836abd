"""Extraction: batches, parts, failures, resumption, memory."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import soundfile
import torch
from small_corpora import write_urdu
from test_backbone_contract import in_small
from test_backbone_contract import plugin

from sercore.audio.signals import speech_like
from sercore.backbones.interface import EncodedUtterance
from sercore.backbones.interface import EncoderOptions
from sercore.corpora.contents import read_contents
from sercore.corpora.locate import open_corpus
from sercore.corpora.manifest import PART_SIZE
from sercore.corpora.manifest import build_manifest
from sercore.demo.logmel import LOGMEL
from sercore.devices import set_threads
from sercore.errors import BackboneError
from sercore.errors import CorpusError
from sercore.features import recipe
from sercore.features.extract import extract
from sercore.features.frame_budget import default_frame_budget
from sercore.features.frame_budget import probe_frame_budget
from sercore.features.keys import feature_identity
from sercore.features.keys import feature_key
from sercore.features.parts import FRAMES
from sercore.features.parts import MEANS
from sercore.features.parts import RECORD
from sercore.features.parts import ExtractedUtterance
from sercore.plugins.registry import registry
from sercore.storage.code import code_identity
from sercore.storage.workspace import Workspace

pytestmark = pytest.mark.torch


@pytest.fixture
def backbone(tmp_path):
    torch.set_num_threads(1)
    return in_small(plugin("hubert-large"), tmp_path / "checkpoints")


@pytest.fixture
def place(tmp_path):
    """Return a corpus of 72 recordings (two parts) of many lengths."""
    root = write_urdu(tmp_path / "corpus", n_per_class=18)
    for number, path in enumerate(sorted(root.rglob("*.wav"))):
        samples = speech_like(2000 + 1711 * (number % 13), 16_000, seed=number)
        soundfile.write(path, samples, 16_000, subtype="PCM_16")
    return root


def _manifest(files, before=None):
    return build_manifest(registry().corpora.get("urdu"), files, "corrected", read_contents, before)


def _extract(backbone, place, workspace, *, options=None, before=None, **settings):
    workspace = Workspace(workspace)
    files = open_corpus(place, workspace, "unpacked")
    return extract(
        backbone=backbone,
        checkpoint=backbone.resolve(offline=True),
        options=options or EncoderOptions(),
        manifest=_manifest(files, before),
        files=files,
        workspace=workspace,
        **settings,
    )


def _digests(store):
    return [store.parts.record(part)["digest"] for part in range(store.n_parts)]


class Counted:
    """A real backbone whose batches are noted.

    As a class of its own it is code of its own in the key, like a plugin's own backbone.
    """

    def __init__(self, backbone, fail_after=None):
        self.backbone = backbone
        self.batches = []
        self.fail_after = fail_after

    @property
    def card(self):
        return self.backbone.card

    def resolve(self, *, offline):
        return self.backbone.resolve(offline=offline)

    def load(self, checkpoint, options):
        encoder = self.backbone.load(checkpoint, options)
        encode = encoder.encode

        def counted(batch):
            self.batches.append(batch.n_frames)
            if self.fail_after is not None and len(self.batches) > self.fail_after:
                raise KeyboardInterrupt
            return encode(batch)

        encoder.encode = counted
        return encoder


def test_stored_frames_are_those_of_each_utterance_alone(backbone, place, tmp_path):
    """Through batches, parts and float16."""
    store = _extract(backbone, place, tmp_path / "workspace")
    files = open_corpus(place, Workspace(tmp_path / "workspace"), "unpacked")
    manifest = _manifest(files)
    encoder = backbone.load(backbone.resolve(offline=True), EncoderOptions())
    stored = store.open()
    for row in range(0, len(manifest), 7):
        samples, _ = soundfile.read(place / manifest.utterance(row).path, dtype="float32")
        (expected,) = encoder.encode(encoder.prepare([samples]))

        np.testing.assert_allclose(stored.frames(row), expected.frames, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(
            store.layer_means(1)[row], expected.layer_means[1], rtol=1e-3, atol=1e-3
        )


def test_batches_keep_the_budget_and_hold_little_padding(backbone, place, tmp_path):
    """No batch computes more than the budget, nor much that is thrown away."""
    counted = Counted(backbone)
    _extract(counted, place, tmp_path / "workspace", frame_budget=300)
    padded = [len(batch) * max(batch) for batch in counted.batches]

    assert sum(map(len, counted.batches)) == 72
    assert max(padded) <= 300
    assert all(
        each - sum(batch) <= 0.08 * each
        for each, batch in zip(padded, counted.batches, strict=True)
    )
    assert max(map(len, counted.batches)) > 4


def test_utterance_beyond_the_budget_is_a_batch_of_its_own(backbone, place, tmp_path):
    """It is never dropped."""
    counted = Counted(backbone)
    store = _extract(counted, place, tmp_path / "workspace", frame_budget=1)

    assert store.is_complete
    assert {len(batch) for batch in counted.batches} == {1}


@pytest.mark.parametrize("after", [1, 8])
def test_interrupted_extraction_ends_in_the_same_bytes(after, backbone, place, tmp_path):
    """Whether it was stopped in the first or in the second part."""
    whole = _extract(backbone, place, tmp_path / "whole", frame_budget=600)
    with pytest.raises(KeyboardInterrupt):
        _extract(Counted(backbone, after), place, tmp_path / "again", frame_budget=600)
    again = _extract(backbone, place, tmp_path / "again", frame_budget=600)

    assert _digests(again) == _digests(whole)
    assert again.digest == whole.digest


def test_done_parts_are_not_encoded_again(backbone, place, tmp_path):
    """Only what was lost: one part of two."""
    store = _extract(Counted(backbone), place, tmp_path / "workspace")
    store.parts.discard(1)
    counted = Counted(backbone)
    _extract(counted, place, tmp_path / "workspace")

    assert sum(map(len, counted.batches)) == 72 - PART_SIZE


def test_parts_that_are_extracted_apart_have_the_bytes_of_the_whole(backbone, place, tmp_path):
    whole = _extract(backbone, place, tmp_path / "whole")
    shown = []

    half = _extract(
        backbone,
        place,
        tmp_path / "apart",
        parts=range(1, 2),
        progress=lambda done, total, _: shown.append((done, total)),
    )

    assert half.missing_parts() == [0]
    assert shown[0] == (0, 72 - PART_SIZE)
    assert shown[-1] == (72 - PART_SIZE, 72 - PART_SIZE)
    other = _extract(backbone, place, tmp_path / "apart", parts=range(1))
    assert _digests(other) == _digests(whole)


def test_a_second_writer_does_not_take_a_part_from_its_readers(
    backbone, place, tmp_path, monkeypatch
):
    """Two workers may do one task, where a scheduler lost a node but not its job."""
    store = _extract(backbone, place, tmp_path)
    slow = _extract(backbone, place, tmp_path)
    rows = store.rows[1].tolist()
    utterances = [ExtractedUtterance(row=row, path="", error="as if decoded") for row in rows]
    removed = []
    monkeypatch.setattr(Workspace, "remove", lambda _, path: removed.append(path))

    slow.write_part(1, utterances, layer_means=True, plan={})

    assert removed == []
    assert _digests(slow) == _digests(store)


def test_another_budget_is_within_the_tolerance(backbone, place, tmp_path):
    """The batch plan moves the last bits only."""
    first, second = (
        _extract(backbone, place, tmp_path / str(budget), frame_budget=budget).open()
        for budget in (200, 12_000)
    )
    for row in range(len(first)):
        np.testing.assert_allclose(first.frames(row), second.frames(row), rtol=2e-3, atol=2e-3)


def test_broken_recording_is_a_failure_of_its_own(backbone, place, tmp_path):
    """The others have frames; once it is mended, the next call has it too."""
    paths = sorted(place.rglob("*.wav"))
    good = paths[5].read_bytes()
    paths[5].write_bytes(good[:20] + b"\0" * (len(good) - 20))
    store = _extract(backbone, place, tmp_path / "workspace")
    (failure,) = store.failures()

    assert failure.where.endswith(paths[5].name)
    assert (store.n_done, store.is_complete) == (71, False)
    paths[5].write_bytes(good)

    assert _extract(backbone, place, tmp_path / "workspace").is_complete


def test_a_changed_recording_extracts_its_part_again(backbone, place, tmp_path):
    """And nothing else: the other part is shared by both stores."""
    first = _extract(Counted(backbone), place, tmp_path / "workspace")
    frames = [first.open().frames(row).copy() for row in range(72)]
    path = sorted(place.rglob("*.wav"))[5]
    row = (
        _manifest(open_corpus(place, Workspace(tmp_path), "x"))
        .column("path")
        .index(path.relative_to(place).as_posix())
    )
    sound, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path, sound[::-1], rate, subtype="PCM_16")
    counted = Counted(backbone)
    second = _extract(counted, place, tmp_path / "workspace")
    part = next(number for number, rows in enumerate(second.rows) if row in rows)

    assert sum(map(len, counted.batches)) == len(second.rows[part])
    assert second.key != first.key
    assert not np.array_equal(second.open().frames(row), frames[row])
    fresh = _extract(Counted(backbone), place, tmp_path / "fresh")
    assert _digests(second) == _digests(fresh)


def test_a_corrected_label_extracts_nothing(backbone, place, tmp_path):
    """Here the name carries the label, so that correcting it renames the file."""
    first = _extract(Counted(backbone), place, tmp_path / "workspace")
    before = _manifest(open_corpus(place, Workspace(tmp_path), "x"))
    path = sorted(place.rglob("SM*_A*.wav"))[5]
    renamed = place / "Sad" / path.name.replace("_A", "_S9")
    expected = first.open().frames(before.column("path").index(f"Angry/{path.name}")).copy()
    path.rename(renamed)
    counted = Counted(backbone)
    second = _extract(counted, place, tmp_path / "workspace", before=before)
    after = _manifest(open_corpus(place, Workspace(tmp_path), "x"), before)

    assert counted.batches == []
    assert second.key != first.key  # another order of rows
    row = after.column("path").index(f"Sad/{renamed.name}")
    np.testing.assert_array_equal(second.open().frames(row), expected)


def test_two_names_of_the_same_weights_share_features(backbone, place, tmp_path):
    """A plugin's name, a folder's name, and what a configuration says about its writer."""
    shutil.copytree(backbone.folder, tmp_path / "elsewhere")
    config = json.loads((tmp_path / "elsewhere/config.json").read_text())
    config |= {"transformers_version": "9.9", "_name_or_path": "x", "torch_dtype": "float16"}
    (tmp_path / "elsewhere/config.json").write_text(json.dumps(config, indent=7))
    first = _extract(Counted(backbone), place, tmp_path / "workspace")
    counted = Counted(registry().backbone(f"hf:{tmp_path / 'elsewhere'}"))
    second = _extract(counted, place, tmp_path / "workspace")

    assert second.key == first.key
    assert counted.batches == []


def test_a_setting_that_changes_the_model_changes_the_key(backbone, tmp_path):
    """Only settings that change nothing are left out of a checkpoint's digest."""
    shutil.copytree(backbone.folder, tmp_path / "elsewhere")
    config = json.loads((tmp_path / "elsewhere/config.json").read_text())
    config["layer_norm_eps"] = 0.1
    (tmp_path / "elsewhere/config.json").write_text(json.dumps(config))
    other = registry().backbone(f"hf:{tmp_path / 'elsewhere'}")

    assert other.resolve(offline=True).digest != backbone.resolve(offline=True).digest


@pytest.mark.parametrize(
    ("name", "version", "is_other"),
    [("soxr", "99.1", True), ("torch", "99.1+cu1", True), ("scikit-learn", "99.1", False)],
)
def test_versions_that_change_frames_are_in_the_key(
    name, version, is_other, backbone, place, monkeypatch
):
    """Those of libraries between a recording and its frames, and no others."""
    manifest = _manifest(open_corpus(place, Workspace(place / "w"), "x"))
    parts = (backbone, backbone.resolve(offline=True), EncoderOptions(), "direct", manifest)
    before = feature_identity(*parts)
    real = recipe.library_version
    monkeypatch.setattr(
        recipe, "library_version", lambda asked: version if asked == name else real(asked)
    )
    recipe._version.cache_clear()
    after = feature_identity(*parts)
    recipe._version.cache_clear()

    assert (feature_key(after) != feature_key(before)) == is_other
    assert after["encoder"]["recipe"].get(name) == ("99.1" if is_other else None)


def test_code_of_a_plugins_own_backbone_is_in_the_key(backbone, place, tmp_path):
    """The core's is not: `EXTRACTION_VERSION` says when it computes other frames."""
    manifest = _manifest(open_corpus(place, Workspace(tmp_path / "workspace"), "x"))
    rest = (backbone.resolve(offline=True), EncoderOptions(), "direct", manifest)

    assert feature_identity(backbone, *rest)["encoder"]["code"] is None
    code = feature_identity(Counted(backbone), *rest)["encoder"]["code"]
    assert code == code_identity(Counted.__module__)


def test_the_record_of_a_part_names_all_versions(backbone, place, tmp_path):
    """In full, with what else the last bits depend on."""
    store = _extract(backbone, place, tmp_path / "workspace")
    record = store.parts.record(0)

    assert torch.__version__.startswith(record["versions"]["torch"])
    assert record["plan"] == {"device": "cpu", "frame_budget": 1500, "threads": 1}


@pytest.mark.parametrize("kind", [FRAMES, MEANS, RECORD])
def test_damaged_files_are_extracted_again(kind, backbone, place, tmp_path):
    """One sentence, one part, and the bytes of before."""
    store = _extract(Counted(backbone), place, tmp_path / "workspace")
    digest = store.digest
    file = tmp_path / "workspace" / store.files.path(store.part_keys[1], kind)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    counted, told = Counted(backbone), []
    again = _extract(counted, place, tmp_path / "workspace", note=told.append)

    assert told == ["part 1 of the frames of urdu was damaged and is extracted again"]
    assert sum(map(len, counted.batches)) == 72 - PART_SIZE
    assert again.digest == digest


def test_a_recording_that_changes_during_the_run_is_a_failure(backbone, place, tmp_path):
    """Its frames would be stored under the digest of what it was before."""
    files = open_corpus(place, Workspace(tmp_path / "workspace"), "unpacked")
    manifest = _manifest(files)
    path = sorted(place.rglob("*.wav"))[5]
    path.write_bytes(path.read_bytes()[:-2] + b"xx")
    store = extract(
        backbone=backbone,
        checkpoint=backbone.resolve(offline=True),
        options=EncoderOptions(),
        manifest=manifest,
        files=files,
        workspace=Workspace(tmp_path / "workspace"),
    )
    (failure,) = store.failures()

    assert "was changed during the run" in failure.message


def test_a_manifest_without_contents_is_refused(backbone, place, tmp_path):
    """Features of unknown audio could not be told from those of other audio."""
    files = open_corpus(place, Workspace(tmp_path / "workspace"), "unpacked")
    manifest = build_manifest(registry().corpora.get("urdu"), files, "corrected")
    with pytest.raises(CorpusError, match="without reading audio"):
        feature_identity(
            backbone, backbone.resolve(offline=True), EncoderOptions(), "direct", manifest
        )


def test_float32_is_float32_where_encoders_run():
    """Whatever another library asked for before."""
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    set_threads(1)

    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


def test_layer_means_can_be_left_out_and_asked_for_later(backbone, place, tmp_path):
    """The second call extracts again, the first took no space for them."""
    store = _extract(backbone, place, tmp_path / "workspace", layer_means=False)
    means = list((tmp_path / "workspace").rglob("*.means.arrow"))
    again = _extract(backbone, place, tmp_path / "workspace")

    assert (means, store.is_complete) == ([], True)
    assert np.isfinite(again.layer_means(0)).all()
    assert _digests(again) == _digests(store)


def test_every_layer_and_variant_has_its_own_store(backbone, place, tmp_path):
    """What changes the frames changes the key; the device does not."""
    files = open_corpus(place, Workspace(tmp_path / "workspace"), "unpacked")
    manifest = _manifest(files)
    checkpoint = backbone.resolve(offline=True)

    def identity(audio_path="direct", **options):
        chosen = EncoderOptions(**options)
        return feature_key(feature_identity(backbone, checkpoint, chosen, audio_path, manifest))

    plain = identity()
    others = [
        identity(layer=1),
        identity(variant="exact"),
        identity(dtype="bfloat16"),
        identity("paper"),
    ]

    assert len({plain, *others}) == 5
    assert identity(device="cuda") == plain


def test_inner_layer_is_extracted(backbone, place, tmp_path):
    """The frames of layer N have the mean that is kept beside those of the last."""
    last = _extract(backbone, place, tmp_path / "workspace")
    inner = _extract(backbone, place, tmp_path / "workspace", options=EncoderOptions(layer=1))
    for row in (0, 30, 71):
        mean = inner.open().frames(row).astype(np.float64).mean(axis=0)

        np.testing.assert_allclose(mean, last.layer_means(1)[row], rtol=1e-2, atol=2e-3)


class ShortOfMemory:
    """The log-mel baseline on a device that holds few frames."""

    def __init__(self, holds, *, where="encode"):
        self.holds = holds
        self.where = where
        self.card = replace(LOGMEL.card)

    def resolve(self, *, offline):
        return LOGMEL.resolve(offline=offline)

    def load(self, checkpoint, options):
        encoder = LOGMEL.load(checkpoint, options)
        outer = self

        class Limited:
            width, n_layers = encoder.width, encoder.n_layers
            n_frames, cost = staticmethod(encoder.n_frames), staticmethod(encoder.cost)

            def prepare(self, waveforms):
                spent = len(waveforms) * max(encoder.cost(len(each)) for each in waveforms)
                self.allocate(spent, "prepare")
                return spent, encoder.prepare(waveforms)

            def encode(self, batch) -> list[EncodedUtterance]:
                spent, prepared = batch
                self.allocate(spent, "encode")
                return encoder.encode(prepared)

            def allocate(self, spent, where):
                if spent > outer.holds and where == outer.where:
                    torch.empty(1 << 60)  # torch's own way to run out of memory

        return Limited()


@pytest.mark.parametrize("where", ["prepare", "encode"])
def test_out_of_memory_says_which_budget_to_set(place, tmp_path, where):
    """One sentence with a number, and with that number it works."""
    short = ShortOfMemory(300, where=where)
    with pytest.raises(BackboneError, match="ran out of memory on a batch of") as caught:
        _extract(short, place, tmp_path / "workspace")
    budget = int(caught.value.hint.split()[2])
    while budget > 300:
        budget //= 2

    assert "set --frame-budget" in caught.value.hint
    assert _extract(short, place, tmp_path / "workspace", frame_budget=budget).is_complete


def test_probed_budget_fits_and_its_double_does_not():
    """A doubling series, with a margin."""
    load = ShortOfMemory(20_000).load(LOGMEL.resolve(offline=True), EncoderOptions())
    cost = load.cost(30 * 16_000)
    budget = probe_frame_budget(load, 16_000, "cuda")

    assert budget * 1.25 <= 20_000 + cost
    assert 2 * budget * 1.25 > 20_000


def test_probed_budget_of_the_cpu_is_no_larger_than_the_default():
    """Larger batches gain nothing there."""
    encoder = ShortOfMemory(10**9).load(LOGMEL.resolve(offline=True), EncoderOptions())
    budget = probe_frame_budget(encoder, 16_000, "cpu")

    assert default_frame_budget("cpu") / 2 < budget <= default_frame_budget("cpu")


def test_memory_that_holds_nothing_is_one_sentence():
    """Not even one recording of 30 s."""
    encoder = ShortOfMemory(10).load(LOGMEL.resolve(offline=True), EncoderOptions())
    with pytest.raises(BackboneError, match="does not hold one recording"):
        probe_frame_budget(encoder, 16_000, "cuda")
