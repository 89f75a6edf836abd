"""Results as ``.eval_results/*.yaml`` of model repositories on the Hugging Face hub.

The fields are those of https://huggingface.co/docs/hub/eval-results. A result names a benchmark
data set on the hub and one of its tasks: here the averages, ``in-domain`` and ``out-of-domain``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from huggingface_hub.utils import yaml_dump  # type: ignore[attr-defined]

from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.exports.results import MatrixResult


def eval_results_files(
    results: Sequence[MatrixResult], benchmark: str, source_url: str | None = None
) -> dict[str, bytes]:
    """Return files by path: ``<owner>--<model>/.eval_results/<name>.yaml``.

    Args:
        results: of matrices; those without a checkpoint on the hub have no place there.
        benchmark: id of the benchmark data set on the hub, ``owner/name``.
        source_url: where the results can be looked up, such as a leaderboard.

    Raises:
        SettingsError: huggingface_hub is too old.
    """
    try:
        from huggingface_hub import EvalResultEntry
        from huggingface_hub import eval_result_entries_to_yaml
    except ImportError as error:
        raise SettingsError(
            "the installed huggingface_hub knows no evaluation results",
            hint="pip install --upgrade huggingface-hub",
        ) from error
    files = {}
    for result in results:
        if result.checkpoint is None:
            continue
        entries = [
            EvalResultEntry(
                dataset_id=benchmark,
                task_id=name,
                value=value,
                date=result.written,
                source_url=source_url,
                notes=_notes(result, interval_text, coverage),
            )
            for name, value, interval_text, coverage in _averages(result)
        ]
        if entries:
            text = yaml_dump(eval_result_entries_to_yaml(entries))
            folder = result.checkpoint.replace("/", "--")
            files[f"{folder}/.eval_results/{result.slug}.yaml"] = text.encode()
    return files


def _averages(result: MatrixResult) -> list[tuple[str, float, str, str]]:
    return [
        (
            name,
            value,
            f"95 % interval {interval.low:.4f} to {interval.high:.4f}" if interval else "",
            coverage,
        )
        for name, value, interval, coverage in result.averages()
    ]


def _notes(result: MatrixResult, interval: str, coverage: str) -> str:
    return "; ".join(part for part in (result.setup, coverage, interval) if part)
