"""Run the contract of an installed plugin, and return a verdict that can be read.

pytest does the work. It is imported here only, so that the command line starts without it.
"""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr
from contextlib import redirect_stdout
from dataclasses import dataclass
from dataclasses import field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from uuid import uuid4

from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.testing.contracts import Installed

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One test of a contract."""

    sentence: str
    """What the contract demands."""
    outcome: Outcome
    reason: str | None = None
    """Why it failed or was skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractResult:
    """The verdict about a plugin."""

    kind: str
    id: str
    distribution: str
    clauses: tuple[Clause, ...]

    @property
    def passed(self) -> bool:
        """Whether no test failed, and at least one passed."""
        outcomes = [clause.outcome for clause in self.clauses]
        return "failed" not in outcomes and "passed" in outcomes

    def count(self, outcome: Outcome) -> int:
        """Return how many tests ended so."""
        return sum(clause.outcome == outcome for clause in self.clauses)


def require_pytest() -> None:
    """Check that pytest is installed.

    Raises:
        SettingsError: it is not.
    """
    if find_spec("pytest") is None:
        raise SettingsError(
            "contracts are pytest tests, and pytest is not installed",
            hint="pip install 'sercore[testing]'",
        )


def check_contract(installed: Installed, folder: Path | None = None) -> ContractResult:
    """Run the contract of a plugin.

    Args:
        installed: the plugin.
        folder: of a corpus: where files of it lie.

    Raises:
        SettingsError: pytest could not run the tests.
    """
    import pytest

    from sercore.testing.pytest_plugin import write_module

    collector = _Collector()
    printed = io.StringIO()
    with TemporaryDirectory(prefix="sercore-check-") as holder:
        # The name is new, because Python keeps modules by name.
        module = Path(holder) / f"test_{uuid4().hex}.py"
        write_module(module, installed.id, installed.kind, str(folder) if folder else None)
        # Neither settings nor conftest.py of the current folder have a say in the verdict.
        words = [str(module), "-c", os.devnull, "--rootdir", holder, "--confcutdir", holder]
        words += ["-p", "no:cacheprovider", "-q", "--import-mode=importlib"]
        with redirect_stdout(printed), redirect_stderr(printed):
            status = pytest.main(words, plugins=[collector])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        last = printed.getvalue().strip().splitlines()
        raise SettingsError(
            f"the contract of '{installed.id}' could not be run: {last[-1] if last else status}",
            hint="'pytest --sercore-check' shows all of the output",
        )
    return ContractResult(
        kind=installed.kind,
        id=installed.id,
        distribution=installed.distribution,
        clauses=tuple(collector.clauses),
    )


@dataclass
class _Collector:
    """A plugin of pytest that keeps how every test ended."""

    clauses: list[Clause] = field(default_factory=list)
    sentences: dict[str, str] = field(default_factory=dict)

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Keep the first line of each docstring."""
        for item in items:
            text = (item.function.__doc__ or item.name).strip().splitlines()[0].rstrip(".")
            parameters = item.name.partition("[")[2].rstrip("]")
            self.sentences[item.nodeid] = f"{text} ({parameters})" if parameters else text

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep the outcome of a test: that of its call, or of a setup that did not pass."""
        if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
            self.clauses.append(
                Clause(
                    sentence=self.sentences.get(report.nodeid, report.nodeid),
                    outcome=report.outcome,
                    reason=_reason(report),
                )
            )


def _reason(report: Any) -> str | None:
    if report.outcome == "passed":
        return None
    if report.outcome == "skipped":
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    return " ".join(text.split()[:60])
