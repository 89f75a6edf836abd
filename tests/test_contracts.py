"""The contracts: every plugin of the repository keeps its own, and broken plugins fail."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from fresh_plugins import environment
from fresh_plugins import install
from small_corpora import write_emodb
from small_corpora import write_urdu
from small_corpora import write_wav

pytest.importorskip("torch")

from sercore.cli import cli
from sercore.corpora.labels import MAPPERS
from sercore.errors import UnknownNameError
from sercore.evaluation.metrics import METRICS
from sercore.evaluation.protocols import PROTOCOLS
from sercore.plugins.registry import registry
from sercore.testing.contracts import contract
from sercore.testing.contracts import find_installed
from sercore.testing.executors import ExecutorContract
from sercore.testing.mappers import LabelMapperContract
from sercore.testing.metrics import MetricContract
from sercore.testing.probes import ProbeContract
from sercore.testing.protocols import ProtocolContract

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.id, scope="class")
class TestMetrics(MetricContract):
    pass


@pytest.mark.parametrize("mapper", MAPPERS, ids=lambda mapper: mapper.id, scope="class")
class TestMappers(LabelMapperContract):
    pass


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda one: one.id, scope="class")
class TestProtocols(ProtocolContract):
    pass


@pytest.mark.parametrize("probe", list(registry().probes), ids=lambda one: one.id, scope="class")
class TestProbes(ProbeContract):
    pass


class TestLocalExecutor(ExecutorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls):
        return registry().executors.get("local")


TestUrdu = contract("urdu")
TestLogmel = contract("logmel")


class TestCommand:
    @pytest.mark.parametrize(("name", "write"), [("urdu", write_urdu), ("emodb", write_emodb)])
    def test_a_corpus_on_disk_is_read(self, name, write, tmp_path):
        folder = write(tmp_path / name)

        answer = CliRunner().invoke(
            cli, ["check", name, "--folder", str(folder), "--workspace", str(tmp_path / "ws")]
        )

        assert answer.exit_code == 0, answer.output
        assert f"dataset {name} (sercore-dataset-{name}) keeps its contract" in answer.output
        assert "skipped" not in answer.output

    def test_a_broken_copy_fails_with_the_sentence(self, tmp_path):
        folder = write_urdu(tmp_path / "urdu")
        next(folder.rglob("*.wav")).write_bytes(b"no audio")

        answer = CliRunner().invoke(cli, ["check", "urdu", "--folder", str(folder), "--json"])

        found = json.loads(answer.stdout)
        assert answer.exit_code == 1
        assert found["passed"] is False
        (failed,) = [one for one in found["clauses"] if one["outcome"] == "failed"]
        assert failed["sentence"] == "Recordings of all sizes can be decoded, and are not silent"
        assert "AudioError" in failed["reason"]

    def test_settings_of_the_current_folder_have_no_say(self, tmp_path, monkeypatch):
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n")
        (tmp_path / "conftest.py").write_text("raise RuntimeError")
        monkeypatch.chdir(tmp_path)

        answer = CliRunner().invoke(cli, ["check", "uar"])

        assert "metric uar (sercore) keeps its contract: 9 passed" in answer.output

    def test_a_typo_is_answered(self):
        with pytest.raises(UnknownNameError, match="did you mean 'wavlm-large'"):
            find_installed("wavlm-larg")

    def test_a_name_of_two_kinds_asks_for_the_kind(self):
        assert find_installed("paper", "mapper").kind == "mapper"
        with pytest.raises(UnknownNameError, match="mapper, protocol"):
            find_installed("paper")

    def test_pytest_runs_contracts_without_a_file(self, tmp_path):
        words = [sys.executable, "-m", "pytest", "-q"]
        answer = subprocess.run(
            [*words, "--sercore-check", "metric:uar", "--sercore-check", "valence"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert "15 passed" in answer.stdout


BROKEN = """
import itertools

from sercore import CorpusCard, Emotion, FileNameCorpus, Metric, Protocol, hookimpl

SERCORE_API = 1
calls = itertools.count()


def metric(id, compute, **more):
    return Metric(id=id, summary="broken", compute=compute, **more)


def share(evaluation):
    return {None: float((evaluation.predictions == evaluation.labels).mean())}


CORPUS = FileNameCorpus(
    card=CorpusCard(
        id="split-speaker", title="T", language="English", language_code="eng", licence=None,
        access="open", homepage="www.example.org", citation=None, folders=("t",), obtain="Ask.",
        expected={}, speakers=None,
    ),
    pattern=r"(?P<label>[a-z]+)_(?P<take>[0-9]+)\\.wav",
    labels={"angry": Emotion.ANGER},
    complete=lambda names: {"speaker": "anna"},
)


class Unsteady:
    id, summary, settings = "unsteady", "learns something else every time", {}

    def fit(self, frames, rows, labels, *, n_classes, seed, device, progress=None):
        import numpy as np

        return self.load({"w": np.full((frames.width, n_classes), float(next(calls)))})

    def load(self, weights, *, device="cpu"):
        fitted = Unsteady()
        fitted.weights, fitted.log = weights, ()
        return fitted

    def logits(self, frames, rows):
        import numpy as np

        points = np.stack([frames.frames(row).mean(0, dtype=float) for row in rows])
        return (points @ self.weights["w"] + len(rows)).astype(np.float32)


@hookimpl
def sercore_metrics():
    return [
        metric("wrong-way", share, higher_is_better=False),
        metric("first-label", lambda evaluation: {None: float(evaluation.labels[:1].sum())}),
        metric("endless", lambda evaluation: {None: float("inf")}),
        metric("nameless", lambda evaluation: {0: 0.5}),
    ]


@hookimpl
def sercore_corpora():
    return [CORPUS]


@hookimpl
def sercore_probes():
    return [Unsteady()]


@hookimpl
def sercore_protocols():
    return [
        Protocol(id="no-headline", summary="s", reading="corrected", mapper="none-such",
                 split="random", adjustments=("none",), headline="uniform",
                 averaging="supported", audio_path="direct")
    ]
"""

CHECK = """
import json, sys
from sercore.testing.checking import check_contract
from sercore.testing.contracts import find_installed

found = {}
for word in sys.argv[1:]:
    name, _, folder = word.partition("=")
    result = check_contract(find_installed(name), folder or None)
    found[name] = [one.sentence for one in result.clauses if one.outcome == "failed"]
print(json.dumps(found))
"""


def test_every_fault_is_found_by_its_clause(tmp_path):
    plugins = install(tmp_path / "plugins", "sercore_broken", source=BROKEN)
    (tmp_path / "t").mkdir()
    write_wav(tmp_path / "t" / "angry_1.wav")
    names = ["wrong-way", "first-label", "endless", "nameless", "unsteady", "no-headline"]
    answer = subprocess.run(
        [sys.executable, "-c", CHECK, *names, f"split-speaker={tmp_path / 't'}"],
        env=environment(plugins),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    failed = json.loads(answer.stdout)

    for name, sentence in {
        "wrong-way": "Right answers are better than noisy ones, and those better than wrong ones",
        "first-label": "The same utterances in another order have the same values",
        "endless": "A class that no answer can have leaves no infinite value",
        "nameless": "Values are floats; their names are None for the whole metric, or texts",
        "unsteady": "Training again with the same seed gives the same bytes",
        "no-headline": "All adjustments exist, and the headline is one of them",
        "split-speaker": "The speakers of an utterance are a tuple of names, or unknown",
    }.items():
        assert any(found.startswith(sentence) for found in failed[name]), (name, failed[name])
    assert any("different frames" in one or "others" in one for one in failed["unsteady"])
    assert any(found.startswith("The home page") for found in failed["split-speaker"])
    assert any(found.startswith("Reading, label mapper") for found in failed["no-headline"])
