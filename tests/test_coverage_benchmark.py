"""The simulations behind docs/statistics.md run, and the page holds what they found."""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def test_a_quick_run_simulates_and_writes_nothing():
    before = {path: path.stat().st_mtime_ns for path in REPOSITORY.glob("benchmarks/results/*")}

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.coverage", "--quick", "cannot be said"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "chance: 0.132" in done.stdout
    after = {path: path.stat().st_mtime_ns for path in REPOSITORY.glob("benchmarks/results/*")}
    assert after == before


def test_every_acceptance_criterion_is_met_and_stands_in_the_page():
    checks = json.loads((REPOSITORY / "benchmarks/results/coverage.json").read_text())["checks"]
    page = (REPOSITORY / "docs" / "statistics.md").read_text()

    assert [check["scenario"] for check in checks if check["met"] is False] == []
    assert sum(check["met"] is True for check in checks) > 40
    for check in checks:
        assert f"| {check['scenario']} | {check['what']} | {check['shown']} |" in page
