"""Every corpus in the layouts that copies of it have: all are the same corpus.

The files are those of `tests/samples`, with annotation files as their authors write them.
"""

from __future__ import annotations

import shutil
import unicodedata

import pytest
from test_corpus_listings import IDS
from test_corpus_listings import SAMPLES
from test_corpus_listings import corpus
from test_corpus_listings import rows_of
from test_corpus_listings import write_skeleton

from sercore.corpora.locate import locate
from sercore.corpora.locate import open_files
from sercore.corpora.manifest import build_manifest
from sercore.corpora.names import AUDIO_SUFFIXES
from sercore.settings import Settings
from sercore.storage.workspace import Workspace

SAME = ("utterance_id", "native_label", "speaker", "gender", "text_id", "official_split")
"""What must be equal in all layouts."""
RESPELT = ("native_label", "official_split")
"""What must be equal if the letter case of names changed."""


def is_sound(path):
    return path.suffix.lower() in AUDIO_SUFFIXES


def renamed(root, change):
    """Rename every file and folder below a folder."""
    for path in sorted(root.rglob("*"), key=lambda path: -len(path.parts)):
        target = path.with_name(change(path.name))
        if target != path:
            path.rename(target)


def usual(data, name):
    return data / corpus(name).card.folders[0]


def converted(suffix):
    def convert(data, name, root):
        for path in [path for path in root.rglob("*") if path.is_file() and is_sound(path)]:
            path.rename(path.with_suffix(suffix))
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
    for path in [path for path in root.rglob("*") if path.is_file() and is_sound(path)]:
        shutil.copy(path, path.with_suffix(".flac"))
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
}
RESPELLINGS = {"upper case": upper_case, "lower case": lower_case}


def sample(name, tmp_path):
    return write_skeleton(name, rows_of(SAMPLES / f"{name}.tsv"), tmp_path / "made" / "copy")


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
    place = locate(corpus(name), [data], settings, workspace)
    assert place is not None
    files = open_files(corpus(name), place, settings, workspace)
    return plain, build_manifest(corpus(name), files, "corrected")


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
