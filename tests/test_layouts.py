"""Every corpus in the layouts that copies of it have: all are the same corpus.

The names are those of `tests/samples`, and of the complete listings where these are at hand, with
annotation files as their authors write them. Every sound file is a real recording in its container:
one per container, copied under all names.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import unicodedata
from functools import cache
from pathlib import Path

import pytest
import soundfile
from sounds import noise
from sounds import write_sound
from test_corpus_listings import IDS
from test_corpus_listings import PAPER
from test_corpus_listings import SAMPLES
from test_corpus_listings import corpus
from test_corpus_listings import expresso_singing
from test_corpus_listings import listing
from test_corpus_listings import needs_reference
from test_corpus_listings import rows_of
from test_corpus_listings import write_resd_parquet
from test_corpus_listings import write_skeleton

from benchmarks.doctor import masc_paths
from sercore.audio.decode import read_source
from sercore.corpora.locate import locate
from sercore.corpora.locate import open_files
from sercore.corpora.manifest import build_manifest
from sercore.corpora.names import AUDIO_SUFFIXES
from sercore.corpora.recognition import recognize
from sercore.settings import Settings
from sercore.storage.workspace import Workspace

SAME = ("utterance_id", "native_label", "speaker", "gender", "text_id", "official_split")
"""What must be equal in all layouts."""
RESPELT = ("native_label", "official_split")
"""What must be equal if the letter case of names changed."""
RATE = 8000


@cache
def recording(suffix):
    """Return the bytes of a short recording in a container, by its suffix in lower case."""
    place = Path(os.environ["PYTEST_RECORDINGS"]) / f"recording{suffix}"
    if suffix in (".flac", ".ogg"):
        soundfile.write(place, noise(0, 800), RATE)
    else:
        write_sound(place, 0)
    return place.read_bytes()


@cache
def conversation():
    """Return the bytes of a recording of two speakers that is longer than all its stretches."""
    place = Path(os.environ["PYTEST_RECORDINGS"]) / "conversation.wav"
    soundfile.write(place, noise(0, 60 * RATE, 2), RATE)
    return place.read_bytes()


@pytest.fixture(scope="session", autouse=True)
def recordings(tmp_path_factory):
    """Keep the prepared recordings in a folder of this session."""
    os.environ["PYTEST_RECORDINGS"] = str(tmp_path_factory.mktemp("recordings"))
    yield
    del os.environ["PYTEST_RECORDINGS"]


def is_sound(path):
    return path.suffix.lower() in AUDIO_SUFFIXES


def sound_files(root):
    return [path for path in root.rglob("*") if path.is_file() and is_sound(path)]


def renamed(root, change):
    """Rename every file and folder below a folder."""
    for path in sorted(root.rglob("*"), key=lambda path: -len(path.parts)):
        target = path.with_name(change(path.name))
        if target != path:
            path.rename(target)


def usual(data, name):
    return data / corpus(name).card.folders[0]


def write_converted(path, suffix):
    """Write a recording in another container beside a recording."""
    content = path.read_bytes()
    if suffix.lower() != path.suffix.lower() and "conversational" not in path.parts:
        content = recording(suffix.lower())
    path.with_suffix(suffix).write_bytes(content)


def converted(suffix):
    def convert(data, name, root):
        for path in sound_files(root):
            if path.suffix != suffix:
                write_converted(path, suffix)
                path.unlink()
        root.rename(usual(data, name))

    return convert


def official(data, name, root):
    root.rename(usual(data, name))


def nested(data, name, root):
    inner = usual(data, name) / "version 1" / "audio files" / root.name
    inner.parent.mkdir(parents=True)
    root.rename(inner)


def two_levels_deep(data, name, root):
    (data / "speech").mkdir()
    root.rename(usual(data / "speech", name))


def like_kaggle(data, name, root):
    (data / f"some-{name}-dataset").mkdir()
    root.rename(data / f"some-{name}-dataset" / "Data")


def with_strays(data, name, root):
    for stray in ("notes.odt", "checksums.md5", "@eaDir/x.wav", ".ipynb_checkpoints/a.ipynb"):
        (root / stray).parent.mkdir(exist_ok=True)
        (root / stray).write_bytes(b"stray")
    root.rename(usual(data, name))


def twice(data, name, root):
    for path in sound_files(root):
        write_converted(path, ".flac")
    root.rename(usual(data, name))


def linked(data, name, root):
    usual(data, name).symlink_to(root)


def archived(kind):
    def archive(data, name, root):
        shutil.make_archive(str(usual(data, name)), kind, root)

    return archive


def archive_in_a_folder(data, name, root):
    usual(data, name).mkdir()
    shutil.make_archive(str(usual(data, name) / "audio"), "zip", root)


def in_the_cache_of_the_hub(data, name, root):
    """Move the files to blobs, and link to them from a snapshot, as huggingface_hub does."""
    cache_folder = data / f"datasets--someone--{name}"
    snapshot = cache_folder / "snapshots" / "0a1b2c"
    for folder in ("blobs", "refs"):
        (cache_folder / folder).mkdir(parents=True)
    for number, path in enumerate(sorted(root.rglob("*"))):
        if path.is_file():
            blob = path.rename(cache_folder / "blobs" / f"{number:06}")
            link = snapshot / path.relative_to(root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
    (cache_folder / "refs" / "main").write_text("0a1b2c")


def decomposed(data, name, root):
    renamed(root, lambda part: unicodedata.normalize("NFD", part))
    root.rename(usual(data, name))


def upper_case(data, name, root):
    renamed(root, str.upper)
    root.rename(usual(data, name))


def lower_case(data, name, root):
    renamed(root, str.lower)
    root.rename(usual(data, name))


LAYOUTS = {
    "official": official,
    "nested": nested,
    "two levels": two_levels_deep,
    "kaggle": like_kaggle,
    "wav": converted(".wav"),
    "WAV": converted(".WAV"),
    "flac": converted(".flac"),
    "strays": with_strays,
    "two containers": twice,
    "linked": linked,
    "zip": archived("zip"),
    "tar.gz": archived("gztar"),
    "zip inside": archive_in_a_folder,
    "NFD": decomposed,
    "hub": in_the_cache_of_the_hub,
}
RESPELLINGS = {"upper case": upper_case, "lower case": lower_case}


def sample(name, tmp_path):
    root = write_skeleton(name, rows_of(SAMPLES / f"{name}.tsv"), tmp_path / "made" / "copy")
    return with_sound(root)


def with_sound(root):
    """Replace every sound file of a skeleton by a recording in the container that it names."""
    for path in sound_files(root):
        sound = conversation() if "conversational" in path.parts else recording(path.suffix)
        path.write_bytes(sound)
    return root


def decoded_seconds(files, built):
    """Return the lengths of all utterances of a manifest, which are decoded."""
    return [read_source(files, built.utterance(row)).duration_s for row in range(len(built))]


def columns(manifest, names):
    rows = zip(*(manifest.column(name) for name in names), strict=True)
    return sorted(tuple(str(value) for value in row) for row in rows)


def arranged(name, tmp_path, arrange):
    """The manifests of a sample as it is, and in a layout, found below a data folder."""
    settings, workspace = Settings(), Workspace(tmp_path / "workspace")
    root, data = sample(name, tmp_path), tmp_path / "data"
    data.mkdir()
    plain = build_manifest(
        corpus(name), open_files(corpus(name), root, settings, workspace), "corrected"
    )
    arrange(data, name, root)
    files = found_files(name, data, workspace)
    found = build_manifest(corpus(name), files, "corrected")
    assert all(seconds > 0.05 for seconds in decoded_seconds(files, found))
    return plain, found


def found_files(name, data, workspace):
    """Return the files of a corpus below a data folder, found by its name or by its content."""
    place = locate(corpus(name), [data], Settings(), workspace)
    if place is None:
        (candidate,) = recognize(data, [corpus(name)])
        place = candidate.place
    return open_files(corpus(name), place, Settings(), workspace)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", IDS)
def test_every_layout_is_the_same_corpus(name, layout, tmp_path):
    plain, found = arranged(name, tmp_path, LAYOUTS[layout])

    assert columns(found, SAME) == columns(plain, SAME)
    faults = [problem for problem in found.problems if problem.is_fault]
    assert faults == [problem for problem in plain.problems if problem.is_fault]


@pytest.mark.parametrize("layout", RESPELLINGS)
@pytest.mark.parametrize("name", IDS)
def test_letter_case_loses_no_utterance(name, layout, tmp_path):
    plain, found = arranged(name, tmp_path, RESPELLINGS[layout])

    assert columns(found, RESPELT) == columns(plain, RESPELT)
    assert len({str(value) for value in found.column("speaker")}) == (
        len({str(value) for value in plain.column("speaker")})
    )


# -- as the publishers pack them -----------------------------------------------------------------


def packed(archive, kind, top=None):
    """Pack a corpus as one archive, whose members lie below a folder."""

    def pack(data, root):
        inside = root.parent / "packed"
        inside.mkdir()
        root.rename(inside / top if top else inside / "content")
        shutil.make_archive(str(data / archive), kind, inside if top else inside / "content")

    return pack


def in_folder(folder, *others):
    """Lay a corpus out in a folder, with other files of its publisher."""

    def lay(data, root):
        place = data / folder
        place.parent.mkdir(parents=True, exist_ok=True)
        root.rename(place)
        for other in others:
            (place / other).parent.mkdir(parents=True, exist_ok=True)
            (place / other).write_bytes(b"of the publisher")

    return lay


def emodb_archive(data, root):
    for name in ("db.yaml", "db.files.csv", "db.speaker.csv"):
        (root / name).write_text("header of audformat")
    packed("emodb", "zip", "emodb")(data, root)


def meld_archive(data, root):
    """Three archives with the clips, beside their tables, in one archive."""
    inside = root.parent / "MELD.Raw"
    inside.mkdir()
    for split in ("train", "dev", "test"):
        part = root.parent / split
        part.mkdir()
        for path in list(root.glob(f"*{split}*")) + list(root.glob(f"{split}_*")):
            if path.is_dir():
                path.rename(part / path.name)
            elif path.exists():
                path.rename(inside / path.name)
        with tarfile.open(inside / f"{split}.tar.gz", "w:gz") as archive:
            archive.add(part, split)
    with tarfile.open(data / "MELD.Raw.tar.gz", "w:gz") as archive:
        archive.add(inside, "MELD.Raw")


def mead_archives(data, root):
    for actor in sorted(path for path in root.iterdir() if path.is_dir()):
        folder = data / "MEAD" / actor.name
        folder.mkdir(parents=True)
        with tarfile.open(folder / "audio.tar", "w") as archive:
            archive.add(actor / "audio", "audio")


def shemo_archives(data, root):
    (data / "ShEMO").mkdir()
    for part in ("female", "male"):
        shutil.make_archive(str(data / "ShEMO" / part), "zip", root, part)


def resd_parquet(data, root):
    """The two Parquet files of the Hub, with WAVE files in them."""
    shutil.rmtree(root)
    rows = rows_of(SAMPLES / "resd.tsv")
    sounds = {row["path"]: recording(".wav") for row in rows}
    folder = data / "datasets--Aniemore--resd" / "snapshots" / "0a1b"
    folder.mkdir(parents=True)
    write_resd_parquet(rows, folder, sounds)


PUBLISHED = {
    "aesdd": in_folder(
        "Acted Emotional Speech Dynamic Database",
        *("Tools and Documentation/ESTrainer.mlapp", "Tools and Documentation/readme.txt"),
    ),
    "cafe": packed("CaFE_48k", "zip", "CaFE_48k"),
    "demos": in_folder("DEMoS"),
    "ekk": in_folder("ekk/Dataset"),
    "emodb": emodb_archive,
    "emovo": packed("emovo", "zip", "EMOVO"),
    "enterface": packed("project2_database", "zip", "enterface database"),
    "expresso": packed("expresso", "tar", "expresso"),
    "mead": mead_archives,
    "meld": meld_archive,
    "mesd": in_folder("cy34mh68j9-5"),
    "resd": resd_parquet,
    "shemo": shemo_archives,
    "subesco": packed("SUBESCO", "zip", "SUBESCO"),
    "thorsten": packed("thorsten-emotional_v02", "gztar", "thorsten-emotional_v02"),
    "urdu": packed("URDU-Dataset-master", "zip", "URDU-Dataset-master"),
}
"""By corpus, the archives of its publisher. Of baum1, casia and masc no description is public."""


def test_only_three_corpora_have_no_published_form():
    assert sorted({*PAPER} - {*PUBLISHED}) == ["baum1", "casia", "masc"]


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_archives_of_the_publisher_are_read(name, tmp_path):
    workspace, data = Workspace(tmp_path / "workspace"), tmp_path / "data"
    root = sample(name, tmp_path)
    data.mkdir()
    plain = build_manifest(
        corpus(name), open_files(corpus(name), root, Settings(), workspace), "corrected"
    )
    PUBLISHED[name](data, root)

    files = found_files(name, data, workspace)
    found = build_manifest(corpus(name), files, "corrected")

    assert columns(found, SAME) == columns(plain, SAME)
    assert {problem.kind for problem in found.problems} <= {"count", "known-bad"}
    assert all(seconds > 0.05 for seconds in decoded_seconds(files, found))


# -- at full size --------------------------------------------------------------------------------

COMPLETE = {
    name: layout
    for name, layout in (LAYOUTS | RESPELLINGS).items()
    if name
    in {
        *("official", "kaggle", "wav", "flac", "nested", "upper case", "lower case"),
        *("zip", "tar.gz", "hub", "strays"),
    }
}


@pytest.fixture(scope="module")
def complete_copies(tmp_path_factory):
    """Return a function that writes a complete copy of a corpus, once."""

    @cache
    def write(name):
        root = tmp_path_factory.mktemp(name) / "copy"
        if name == "masc":
            rows = [{"path": path} for path in masc_paths()]
        else:
            rows = listing(name) + (expresso_singing() if name == "expresso" else [])
        return with_sound(write_skeleton(name, rows, root))

    return write


@pytest.mark.slow
@pytest.mark.timeout(1800)
@needs_reference
@pytest.mark.parametrize("layout", COMPLETE)
@pytest.mark.parametrize("name", PAPER)
def test_a_complete_copy_in_any_layout_has_the_exact_counts(
    name, layout, complete_copies, tmp_path
):
    origin, data = complete_copies(name), tmp_path / "data"
    root = tmp_path / "made" / "copy"
    shutil.copytree(origin, root, copy_function=os.link)
    for path in root.rglob("*"):  # a layout may write into a table, so tables are copies
        if path.is_file() and not is_sound(path):
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
    data.mkdir()
    COMPLETE[layout](data, name, root)

    files = found_files(name, data, Workspace(tmp_path / "workspace"))
    built = build_manifest(corpus(name), files, "corrected")

    assert len(built) == corpus(name).card.expected["corrected"].utterances
    kinds = {problem.kind for problem in built.problems}
    assert kinds <= {"known-bad", *({"stray-file"} if layout == "strays" else ())}
    shutil.rmtree(tmp_path)
