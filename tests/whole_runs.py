"""Runs in processes of their own: how they end, and what they leave in a workspace."""

from __future__ import annotations

from pathlib import Path


def end(process, status=0):
    """Wait for a run; return what it printed to standard output and to standard error."""
    out, err = process.communicate(timeout=600)
    assert process.returncode == status, (out, err)
    assert "Traceback" not in err
    return out, err


def stored(workspace):
    """Return the bytes of everything that a run computes."""
    root = Path(workspace)
    patterns = (
        *("features/*/*/*.arrow", "probes/*/weights.safetensors", "probes/*/split.parquet"),
        *("probes/*/record.json", "predictions/*.parquet", "runs/*/scores.parquet"),
    )
    files = [path for pattern in patterns for path in root.glob(pattern)]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}
