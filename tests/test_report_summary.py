"""The summary at the end of a run."""

import pyarrow as pa

from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.published import published_scores
from sercore.results.summary import summary_markdown


def row(train, test, value, **changes):
    inside = train == test
    return {
        "backbone": "alpha", "train_corpus": train, "test_corpus": test, "protocol": "standard",
        "class_rule": "in-domain" if inside else "cluster", "averaging": "supported",
        "adjustment": "none" if inside else "uniform", "metric": "macro-f1", "value": value,
        "headline": True, "in_domain": inside, "status": "done", "fold": 0, "split_seed": 0,
        "demo": False, "complete": True, **changes,
    }  # fmt: skip


def table(rows):
    return pa.table(
        {name: [each.get(name) for each in rows] for name in SCORE_SCHEMA.names},
        schema=SCORE_SCHEMA,
    )


def test_it_shows_matrix_reductions_missing_cells_and_problems():
    rows = [row("a", "a", 0.5), row("b", "b", 0.7, complete=False), row("a", "b", 0.25)]
    rows.append(row("b", "a", None, status="failed", reason="no space left", headline=False))
    record = {
        "name": "first",
        "problems": [
            {"kind": "stray-file", "where": "x.txt", "message": "it is no audio", "hint": "go"},
            "a sentence",
        ],
    }

    lines = summary_markdown(table(rows), record).splitlines()

    assert lines[0] == "# first"
    assert "| a | 0.500 | 0.250 |" in lines
    assert "| b | missing | 0.700\\* |" in lines
    assert (
        "| alpha | — | standard | cluster | 0.600 ± 0.141 | — | 2 of 2 | 0.250 | — | 1 of 2 rows, "
        "1 of 2 cells | — | — |"
    ) in lines
    assert "- alpha: 1 cell: no space left" in lines
    assert "- x.txt: it is no audio; go" in lines
    assert "- a sentence" in lines


def test_the_published_matrices_give_the_published_reductions():
    text = summary_markdown(published_scores(), {})

    assert (
        "| 0.782 ± 0.195 | — | 19 of 19 | 0.194 ± 0.090 | — | 9 of 9 rows, 72 of 72 cells | 0.346 |"
    ) in text


def test_names_cannot_break_out_of_the_table():
    hostile = "a|b<script>\n# x"
    text = summary_markdown(
        table([row(hostile, hostile, 0.5)]), {"name": "[x](y)", "problems": ["<img src=x>"]}
    )

    assert "<script>" not in text.replace("\\<", "")
    assert "a\\|b\\<script\\> \\# x" in text
    assert "- \\<img src=x\\>" in text
    assert text.startswith("# \\[x\\](y)")


def test_demo_data_says_that_it_is_no_result():
    text = summary_markdown(table([row("a", "a", 0.5, demo=True)]), {})

    assert "demo data: these are not results" in text


def test_a_run_without_cells_says_so():
    assert "No cell is done." in summary_markdown(table([]), {"name": "empty"})
