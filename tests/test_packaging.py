"""Distributions: complete in their own folders, of one shape, and built to the same bytes."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from datetime import date
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hatch_build
from scripts import build_distributions
from scripts import distributions
from scripts import light_requirements
from scripts import set_version
from scripts.changelog import collected
from scripts.changelog import fragments

REPOSITORY = Path(__file__).resolve().parent.parent
PLUGINS = distributions.plugins()
SAMPLE = [PLUGINS[0], *(plugin for plugin in PLUGINS if plugin.id in ("ekk", "emodb"))]
"""A backbone, a corpus that depends on another library, and one that ships a fingerprint."""


def name_of(plugin):
    """Return the name of a test's parameter."""
    return plugin.name


CHANGELOG = """# Changelog

## Unreleased

- A corpus.

## 0.0.9 (2026-01-01)

- A backbone.
"""


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of the files that packaging reads, as of version 0.1.0 before its release."""
    copy = tmp_path / "checkout"
    for name in ("sercore", "plugins"):
        shutil.copytree(
            REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for path in REPOSITORY.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    (copy / "sercore" / "__about__.py").write_text('__version__ = "0.1.0"\n')
    (copy / "CHANGELOG.md").write_text(CHANGELOG)
    distributions.update(distributions.files(copy))
    return copy


def test_every_plugin_is_found():
    assert len(PLUGINS) == len(list(REPOSITORY.glob("plugins/*/*/sercore_*.py"))) > 0


@pytest.mark.parametrize("plugin", PLUGINS, ids=name_of)
def test_the_generated_files_of_a_plugin_are_up_to_date(plugin):
    for path, text in distributions.files().items():
        if path.parent == plugin.folder:
            assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("plugin", PLUGINS, ids=name_of)
def test_a_plugin_states_everything_itself(plugin):
    facts = tomllib.loads(plugin.pyproject.read_text(encoding="utf-8"))

    wheel = {"only-include": list(plugin.contents)}
    only = {"hatch": {"build": {"targets": {"wheel": wheel}}}}
    assert facts.get("tool", {}) == (only if len(plugin.contents) > 1 else {})
    assert "dynamic" not in facts["project"]
    assert facts["project"]["version"] == distributions.core_version()
    assert facts["project"]["entry-points"] == {"sercore": {plugin.id: plugin.module}}


def test_the_extra_all_requires_every_corpus_and_backbone_and_nothing_else():
    core = REPOSITORY / "pyproject.toml"
    extras = tomllib.loads(core.read_text())["project"]["optional-dependencies"]

    assert distributions.files()[core] == core.read_text(encoding="utf-8")
    wanted = [plugin.name for plugin in PLUGINS if plugin.kind in ("backbone", "dataset")]
    assert [text.partition(">")[0] for text in extras["all"]] == wanted


@pytest.mark.parametrize("plugin", PLUGINS, ids=name_of)
def test_a_readme_links_only_to_what_an_index_can_show(plugin):
    text = (plugin.folder / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)", text)

    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.1.0", ">=0.1,<1"),
        ("0.12.3", ">=0.12,<1"),
        ("1.0.0", ">=1.0,<2"),
        ("2.3.1", ">=2.3,<3"),
        ("0.2.0rc1", ">=0.2.0rc1,<1"),
    ],
)
def test_bounds_reach_to_the_next_major_release(version, expected):
    assert distributions.bounds(version) == expected


@pytest.mark.parametrize("version", ["1", "1.2", "v1.2.3", "1.2.3.dev0", "1.2.3-rc1", ""])
def test_other_forms_of_versions_are_refused(version):
    with pytest.raises(ValueError, match=r"MAJOR\.MINOR\.PATCH"):
        distributions.bounds(version)


def test_a_stale_file_is_named_and_written_once(checkout):
    (plugin,) = [known for known in distributions.plugins(checkout) if known.id == "ekk"]
    before = plugin.pyproject.read_text(encoding="utf-8")
    plugin.pyproject.write_text(before.replace("<1", "<9"), encoding="utf-8")
    (plugin.folder / "LICENSE").unlink()
    core = checkout / "pyproject.toml"
    core.write_text(core.read_text().replace('    "sercore-dataset-ekk>=0.1,<1",\n', ""))
    stale = sorted([core, plugin.pyproject, plugin.folder / "LICENSE"])

    assert distributions.update(distributions.files(checkout), check=True) == stale
    assert not (plugin.folder / "LICENSE").exists()
    assert distributions.update(distributions.files(checkout)) == stale
    assert distributions.update(distributions.files(checkout)) == []
    assert plugin.pyproject.read_text(encoding="utf-8") == before
    assert "praatio>=6" in before


@pytest.mark.parametrize("plugin", SAMPLE, ids=name_of)
def test_a_plugin_folder_builds_outside_the_repository(plugin, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(plugin.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "wheel"]
    flags = ["--no-deps", "--no-index", "--no-build-isolation", "-w", str(tmp_path)]

    subprocess.run([*pip, *flags, str(folder)], check=True)

    (wheel,) = tmp_path.glob("*.whl")
    info = f"{plugin.module}-{distributions.core_version()}.dist-info"
    assert sorted(zipfile.ZipFile(wheel).namelist()) == sorted(
        [*plugin.contents]
        + [f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")]
        + [f"{info}/licenses/LICENSE"]
    )


# -- README on an index --------------------------------------------------------------------------

TEXT = "See [fields](docs/json.md), [here](#top), [pluggy](https://x.org/a), [CSV](data/a.csv)."


def test_links_into_the_repository_become_absolute():
    assert hatch_build.absolute(TEXT, "https://x.org/r/blob/v1.0.0") == (
        "See [fields](https://x.org/r/blob/v1.0.0/docs/json.md), [here](#top), "
        "[pluggy](https://x.org/a), [CSV](https://x.org/r/blob/v1.0.0/data/a.csv)."
    )


def test_links_without_a_project_url_become_text():
    assert hatch_build.absolute(TEXT, None) == (
        "See fields, [here](#top), [pluggy](https://x.org/a), CSV."
    )


# -- built ---------------------------------------------------------------------------------------


@pytest.fixture
def chosen():
    names = {"sercore", *(plugin.name for plugin in SAMPLE)}
    return [source for source in build_distributions.sources() if source.name in names]


@pytest.fixture
def built(chosen, tmp_path, monkeypatch):
    """Return a folder with the core and three plugins, built."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    build_distributions.build(chosen, tmp_path / "first")
    return tmp_path / "first"


def rewritten(wheel, change):
    """Write a wheel again with names and bytes that ``change`` returns."""
    with zipfile.ZipFile(wheel) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in change(members).items():
            archive.writestr(name, content)


def without(ending):
    return lambda members: {
        name: content for name, content in members.items() if not name.endswith(ending)
    }


def test_two_builds_have_the_same_bytes_and_pass_all_checks(chosen, built, tmp_path):
    build_distributions.build(chosen, tmp_path / "second")

    first, second = (
        {path.name: build_distributions.digest(path) for path in folder.iterdir()}
        for folder in (built, tmp_path / "second")
    )
    assert len(first) == 2 * (1 + len(SAMPLE))
    assert first == second
    build_distributions.check(chosen, built)
    build_distributions.check_rebuilt(chosen, built)


@pytest.mark.slow
def test_all_distributions_have_the_same_bytes_twice(tmp_path):
    outputs = [tmp_path / name for name in ("first", "second")]
    for output in outputs:
        assert build_distributions.main(["--output", str(output)]) == 0

    first, second = (
        {path.name: build_distributions.digest(path) for path in output.iterdir()}
        for output in outputs
    )
    assert len(first) == 2 * (1 + len(PLUGINS))
    assert first == second


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("/LICENSE"), "does not hold the licence"),
        (lambda members: members | {"notes.txt": b"mine"}, "instead of ['sercore_"),
        (
            lambda members: {
                name: content + b"\n[start](../README.md)\n"
                if name.endswith("METADATA")
                else content
                for name, content in members.items()
            },
            "README links to ../README.md, dead on an index",
        ),
    ],
)
def test_a_wheel_that_is_not_what_it_must_be_is_refused(chosen, built, change, reason):
    rewritten(chosen[1].wheel(built), change)

    with pytest.raises(build_distributions.BuildError, match=re.escape(reason)):
        build_distributions.check(chosen, built)


def test_a_stray_file_in_an_sdist_is_refused(chosen, built):
    sdist = chosen[1].sdist(built)
    with tarfile.open(sdist) as archive:
        members = [(member, archive.extractfile(member).read()) for member in archive.getmembers()]
    root = members[0][0].name.partition("/")[0]
    with tarfile.open(sdist, "w:gz") as archive:
        for member, content in [*members, (tarfile.TarInfo(f"{root}/notes.txt"), b"")]:
            archive.addfile(member, io.BytesIO(content))

    with pytest.raises(build_distributions.BuildError, match=r"holds \['notes.txt'\]"):
        build_distributions.check(chosen, built)


def test_an_sdist_that_builds_another_wheel_is_refused(chosen, built):
    rewritten(chosen[1].wheel(built), lambda members: members)

    with pytest.raises(build_distributions.BuildError, match="its sdist builds another wheel"):
        build_distributions.check_rebuilt(chosen, built)


def test_another_file_beside_the_distributions_is_refused(chosen, built):
    (built / "sercore-0.0.9.tar.gz").write_bytes(b"")

    with pytest.raises(build_distributions.BuildError, match=r"sercore-0\.0\.9\.tar\.gz"):
        build_distributions.check(chosen, built)


def test_a_folder_that_holds_something_is_not_built_into(chosen, built):
    with pytest.raises(build_distributions.BuildError, match="is not empty"):
        build_distributions.build(chosen, built)


def test_a_pattern_without_a_distribution_is_one_sentence(tmp_path, capsys):
    assert build_distributions.main(["--only", "nothing", "--output", str(tmp_path / "d")]) == 1
    assert capsys.readouterr().err == "error: no distribution matches nothing\n"


# -- versions ------------------------------------------------------------------------------------

DAY = date(2026, 12, 1)


def test_a_release_moves_every_version_and_dates_the_changelog(checkout):
    distributions.update(set_version.changed(checkout, "0.2.0", DAY))

    assert distributions.core_version(checkout) == "0.2.0"
    for plugin in distributions.plugins(checkout):
        facts = tomllib.loads(plugin.pyproject.read_text(encoding="utf-8"))["project"]
        assert (facts["version"], facts["dependencies"][0]) == ("0.2.0", "sercore>=0.2,<1")
    extra = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    assert {text.partition(">")[2] for text in extra["optional-dependencies"]["all"]} == {"=0.2,<1"}
    changelog = (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog == CHANGELOG.replace(
        "## Unreleased\n", "## Unreleased\n\n## 0.2.0 (2026-12-01)\n"
    )
    cited = (checkout / "CITATION.cff").read_text(encoding="utf-8")
    assert "\nversion: 0.2.0\ndate-released: 2026-12-01\n" in cited
    assert distributions.update(distributions.files(checkout), check=True) == []


def test_a_release_collects_the_changes(checkout):
    (checkout / "changes").mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / "changes" / "template.md", checkout / "changes")
    (checkout / "changes" / "probe.added.md").write_text("- A probe.\n- A metric.\n")
    (checkout / "changes" / "crash.fixed.md").write_text("- A crash.\n")

    distributions.update(set_version.changed(checkout, "0.2.0", DAY))

    text = (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith(
        "# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-12-01)\n\n"
        "### New\n\n- A probe.\n- A metric.\n\n### Fixed\n\n- A crash.\n\n- A corpus.\n"
    )


def test_every_change_has_a_type_that_is_collected():
    assert all(path.read_text(encoding="utf-8").startswith("- ") for path in fragments())
    (text,) = [collected()] if fragments() else ["### New"]
    assert text.startswith("### ")


def test_a_change_of_another_type_is_refused(tmp_path):
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes" / "probe.new.md").write_text("- A probe.\n")

    with pytest.raises(ValueError, match=r"probe\.new\.md is not named TOPIC\.TYPE\.md"):
        collected(tmp_path)


def test_a_prerelease_leaves_the_changelog_open(checkout):
    distributions.update(set_version.changed(checkout, "0.2.0rc1", DAY))

    assert distributions.core_version(checkout) == "0.2.0rc1"
    assert (checkout / "CHANGELOG.md").read_text(encoding="utf-8") == CHANGELOG
    assert "date-released" not in (checkout / "CITATION.cff").read_text(encoding="utf-8")
    distributions.update(set_version.changed(checkout, "0.2.0", DAY))
    assert distributions.core_version(checkout) == "0.2.0"


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("0.2", "write MAJOR.MINOR.PATCH"),
        ("0.0.8", "0.0.8 does not come after 0.0.9, which CHANGELOG.md names"),
        ("0.0.9", "0.0.9 does not come after 0.0.9, which CHANGELOG.md names"),
        ("0.0.9rc3", "0.0.9rc3 does not come after 0.0.9, which CHANGELOG.md names"),
    ],
)
def test_a_version_that_cannot_follow_is_refused(checkout, version, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        set_version.changed(checkout, version, DAY)


def test_prereleases_of_an_unreleased_version_only_rise(checkout):
    distributions.update(set_version.changed(checkout, "0.1.0rc2", DAY))

    facts = [
        tomllib.loads(known.pyproject.read_text()) for known in distributions.plugins(checkout)
    ]
    assert {fact["project"]["dependencies"][0] for fact in facts} == {"sercore>=0.1.0rc2,<1"}
    with pytest.raises(ValueError, match="0.1.0rc1 does not come after 0.1.0rc2, the present"):
        set_version.changed(checkout, "0.1.0rc1", DAY)
    distributions.update(set_version.changed(checkout, "0.1.0", DAY))
    assert distributions.core_version(checkout) == "0.1.0"


def test_nothing_is_released_twice_or_without_changes(checkout):
    distributions.update(set_version.changed(checkout, "0.1.0", DAY))

    with pytest.raises(ValueError, match=r"0\.1\.0 does not come after 0\.1\.0"):
        set_version.changed(checkout, "0.1.0", DAY)
    with pytest.raises(ValueError, match="holds nothing under '## Unreleased'"):
        set_version.changed(checkout, "0.1.1", DAY)


# -- requirements of other Pythons ---------------------------------------------------------------


def test_light_requirements_are_those_of_all_distributions_without_torch():
    found = light_requirements.requirements()
    core = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    heavy = {"torch", "torchaudio", "transformers"}
    names = {light_requirements.name_of(text) for text in found}

    assert "twine" in names
    assert {light_requirements.name_of(text) for text in core["dependencies"]} - names == heavy
    assert {"av>=15,<19", "jinja2>=3.1", "openpyxl>=3.1", "praatio>=6"} <= set(found)
    assert not names & {"sercore", "ray", *heavy}


def test_the_lowest_versions_are_the_lower_bounds():
    found = light_requirements.requirements(lowest=True)

    assert {"av==15", "jinja2==3.1", "openpyxl==3.1", "praatio==6"} <= set(found)
    with pytest.raises(ValueError, match="'click<9' has no lower bound"):
        light_requirements.pinned("click<9")


def test_the_constraints_pin_what_all_distributions_allow():
    lines = [
        Requirement(text)
        for text in (REPOSITORY / "constraints.txt").read_text().split("\n")
        if text
    ]
    pins = {canonicalize_name(line.name): line.specifier for line in lines}
    core = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = core["optional-dependencies"]
    wanted = [*core["dependencies"], *extras["dev"], *extras["report"]]
    for plugin in PLUGINS:
        facts = tomllib.loads(plugin.pyproject.read_text(encoding="utf-8"))["project"]
        wanted += facts["dependencies"][1:]

    for requirement in map(Requirement, wanted):
        (pin,) = pins[canonicalize_name(requirement.name)]
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version), requirement
    assert not [line for line in lines if line.url or line.name.startswith("sercore")]


# -- workflows -----------------------------------------------------------------------------------

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_what_exists(path):
    text = path.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    scripts = re.findall(r"python -m scripts\.(\w+)", text)

    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
    assert scripts
    for name in scripts:
        assert (REPOSITORY / "scripts" / f"{name}.py").is_file()
    if ".ci/run" in text:
        assert (REPOSITORY / ".ci" / "run").is_file()


def test_only_the_job_that_uploads_may_ask_for_an_identity():
    release = (REPOSITORY / ".github" / "workflows" / "release.yml").read_text()
    build, publish = release.split("\n  publish:\n")

    assert "id-token" not in build
    assert "id-token: write" in publish
    assert "run:" not in publish
    assert "actions/checkout" not in publish
