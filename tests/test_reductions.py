"""The reductions against the paper's Table 3, and what they refuse."""

from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from sercore.errors import ProtocolError
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.published import eligible_corpora
from sercore.published import published_corpora
from sercore.published import published_matrices
from sercore.published import published_scores
from sercore.published import published_summaries
from sercore.results.matrices import common_cells
from sercore.results.matrices import matrices
from sercore.results.reductions import reduce_matrix
from sercore.results.reductions import reduce_scores
from sercore.results.reductions import reduce_values
from sercore.results.reductions import require_comparable


def table(rows):
    return pa.table(
        {name: [row.get(name) for row in rows] for name in SCORE_SCHEMA.names}, schema=SCORE_SCHEMA
    )


def row(train, test, value, **changes):
    inside = train == test
    return {
        "backbone": "alpha",
        "train_corpus": train,
        "test_corpus": test,
        "protocol": "standard",
        "class_rule": "in-domain" if inside else "cluster",
        "adjustment": "none" if inside else "uniform",
        "averaging": "supported",
        "metric": "macro-f1",
        "value": value,
        "headline": True,
        "in_domain": inside,
        "status": "done",
        "split_seed": 0,
        "fold": 0,
        "demo": False,
        "complete": True,
        **changes,
    }


def square(names, seed=0, **changes):
    rng = np.random.default_rng(seed)
    return [row(a, b, float(rng.uniform()), **changes) for a in names for b in names]


@pytest.fixture(scope="module")
def published():
    found = reduce_scores(published_scores(), eligible=eligible_corpora())
    return {each.setting.checkpoint: each for each in found}


def test_the_published_matrices_are_whole():
    assert len(published_matrices()) == 10
    assert {len(cells) for cells in published_matrices().values()} == {95}
    assert len(published_corpora()) == 19
    assert len(eligible_corpora()) == 9


@pytest.mark.parametrize("checkpoint", list(published_summaries()))
def test_the_reductions_give_table_3_to_six_decimals(published, checkpoint):
    expected, actual = published_summaries()[checkpoint], published[checkpoint]

    assert round(actual.in_domain.mean, 6) == expected.id_mean
    assert round(actual.in_domain.sd, 6) == expected.id_std
    assert round(actual.out_of_domain.average.mean, 6) == expected.ood_mean
    assert round(actual.out_of_domain.average.sd, 6) == expected.ood_std
    assert round(actual.weighted, 6) == expected.weighted_average
    assert actual.complete
    assert actual.in_domain.coverage == "19 of 19"
    assert actual.out_of_domain.coverage == "9 of 9 rows, 72 of 72 cells"
    assert [each.corpora for each in actual.small_clusters] == [
        ("ekk", "urdu"),
        ("emodb", "resd"),
    ]


def test_without_a_list_of_eligible_corpora_the_largest_cluster_is_the_main_one(published):
    for each in reduce_scores(published_scores()):
        assert each.out_of_domain == published[each.setting.checkpoint].out_of_domain


def test_rows_and_columns_are_means_over_the_other_corpora():
    (found,) = reduce_scores(table(square("abc", seed=3)))
    (matrix,) = matrices(table(square("abc", seed=3)))
    m = {pair: cell.value for pair, cell in matrix.cells.items()}

    assert found.out_of_domain.rows["a"].mean == pytest.approx((m["a", "b"] + m["a", "c"]) / 2)
    assert found.out_of_domain.columns["a"].mean == pytest.approx((m["b", "a"] + m["c", "a"]) / 2)
    assert found.in_domain.mean == pytest.approx((m["a", "a"] + m["b", "b"] + m["c", "c"]) / 3)


def test_a_missing_row_is_counted_not_hidden():
    rows = [each for each in square("abcd") if each["train_corpus"] != "d"]
    rows += [
        row("d", test, None, status="failed", reason="no space left", headline=False)
        for test in "abcd"
    ]

    (found,) = reduce_scores(table(rows))

    assert not found.complete
    assert found.in_domain.coverage == "3 of 4"
    assert found.in_domain.missing == ("d",)
    assert found.out_of_domain.coverage == "3 of 4 rows, 9 of 12 cells"
    (matrix,) = matrices(table(rows))
    assert matrix.missing["d", "a"] == "no space left"


def test_a_failed_row_needs_no_setting_to_count():
    bare = {
        "backbone": "alpha",
        "train_corpus": "c",
        "test_corpus": "c",
        "protocol": "standard",
        "status": "unavailable",
        "reason": "not on disk",
        "demo": False,
    }

    (found,) = reduce_scores(table([*square("ab"), bare]))

    assert found.in_domain.coverage == "2 of 3"


def test_cells_expected_of_a_complete_matrix_count_as_missing():
    wanted = {"in-domain": {(a, a) for a in "abc"}, "cluster": set(permutations("abc", 2))}

    (found,) = reduce_scores(table(square("ab")), expected=wanted)

    assert found.in_domain.coverage == "2 of 3"
    assert found.out_of_domain.coverage == "2 of 3 rows, 2 of 6 cells"


def test_backbones_over_unequal_cells_are_refused_unless_asked():
    short = [
        each
        for each in square("abc", seed=1, backbone="beta")
        if (each["train_corpus"], each["test_corpus"]) != ("a", "b")
    ]
    scores = table([*square("abc"), *short])

    with pytest.raises(ProtocolError, match=r"beta lacks 1 of 9 cells .* \(a on b first\)"):
        require_comparable(reduce_scores(scores))

    shared = [reduce_matrix(each) for each in common_cells(matrices(scores))]
    require_comparable(shared)
    assert {len(each.cells) for each in shared} == {8}


def test_a_backbone_without_any_done_cell_does_not_stand_in_the_way():
    failed = [row("a", "a", None, backbone="beta", status="failed", reason="broken")]

    found = reduce_scores(table([*square("ab"), *failed]))

    assert [each.setting.backbone for each in found] == ["alpha"]


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("demo", True),
        ("protocol", "paper"),
        ("mapper", "paper"),
        ("probe", "pooled"),
        ("revision", "0ff1ce"),
        ("layer", "6"),
        ("backbone", "beta"),
    ],
)
def test_cells_that_differ_in_their_setting_never_share_an_average(column, other):
    scores = table([*square("ab"), *square("cd", seed=1, **{column: other})])

    found = reduce_scores(scores)

    assert len(found) == 2
    assert [each.in_domain.n for each in found] == [2, 2]


def test_demo_and_real_cells_do_not_complete_each_other():
    found = reduce_scores(table([*square("ab"), *square("xy", demo=True)]))

    assert [each.setting.demo for each in found] == [False, True]
    assert all(each.complete for each in found)
    with pytest.raises(ProtocolError, match="cannot be ranked"):
        require_comparable(found)


def test_class_rules_are_kept_apart_and_share_the_in_domain_cells():
    shared = [
        {**each, "class_rule": "shared-classes", "value": 1.0}
        for each in square("ab")
        if not each["in_domain"]
    ]

    found = reduce_scores(table([*square("ab"), *shared]))

    assert [each.setting.class_rule for each in found] == ["cluster", "shared-classes"]
    assert found[0].in_domain == found[1].in_domain
    assert found[1].out_of_domain.average.mean == 1.0
    assert found[0].out_of_domain.average.mean != 1.0


def test_other_adjustments_and_metrics_are_read_on_request():
    rows = square("ab")
    rows += [
        {**each, "adjustment": "oracle", "headline": False, "value": 0.5}
        for each in rows
        if not each["in_domain"]
    ]
    rows += [{**each, "metric": "uar", "headline": False, "value": 0.25} for each in rows]
    scores = table(rows)

    assert len(reduce_scores(scores)) == 1
    assert reduce_scores(scores, adjustment="oracle")[0].out_of_domain.average.mean == 0.5
    (uar,) = reduce_scores(scores, metric="uar")
    assert (uar.in_domain.mean, uar.out_of_domain.average.mean) == (0.25, 0.25)
    assert uar.setting.adjustment == "uniform"


def test_pooled_folds_stand_for_the_cell_and_seeds_are_averaged():
    fits = [row("a", "a", v, fold=k, split_seed=s) for s in (0, 1) for k, v in ((0, 0.1), (1, 0.2))]
    pooled = [row("a", "a", 0.6, fold=None), row("a", "a", 0.8, fold=None, split_seed=1)]
    outside = [row("a", "b", v, fold=k) for k, v in ((0, 0.1), (1, 0.3))]

    (matrix,) = matrices(table([*fits, *pooled, *outside]))

    assert matrix.cells["a", "a"].value == pytest.approx(0.7)
    assert matrix.cells["a", "a"].by_seed == {0: 0.6, 1: 0.8}
    assert matrix.cells["a", "a"].spread == pytest.approx(0.1 * 2**0.5)
    assert matrix.cells["a", "b"].value == pytest.approx(0.2)
    assert matrix.cells["a", "b"].by_fold == (0.1, 0.3)
    assert matrix.seeds == (0,)
    assert matrix.at_seed(1).cells.keys() == {("a", "a")}


def test_an_empty_table_has_no_reductions():
    assert reduce_scores(table([])) == ()
    assert common_cells([]) == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 6), st.integers(0, 10**6), st.booleans())
def test_the_array_arithmetic_agrees_with_the_named_reductions(size, seed, lose):
    names = "abcdef"[:size]
    rows = square(names, seed=seed)
    if lose:
        rows = rows[1:]
    (found,) = reduce_scores(
        table(rows),
        expected={"in-domain": {(a, a) for a in names}, "cluster": set(permutations(names, 2))},
    )
    values = np.full((size, size), np.nan)
    for each in rows:
        at = names.index(each["train_corpus"]), names.index(each["test_corpus"])
        values[at] = each["value"]

    reduced = reduce_values(np.diagonal(values), values)

    same = pytest.approx
    outside = found.out_of_domain
    assert reduced.in_domain_mean == same(found.in_domain.mean)
    assert reduced.out_of_domain_mean == same(outside.average.mean)
    assert reduced.rows == same([outside.rows[name].mean for name in names])
    assert reduced.columns == same([outside.columns[name].mean for name in names])
    sd, weighted = found.in_domain.sd, found.weighted
    assert reduced.in_domain_sd == same(np.nan if sd is None else sd, nan_ok=True)
    assert reduced.weighted == same(np.nan if weighted is None else weighted, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(seed, random):
    rows = [*square("abc", seed=seed), *square("abc", seed=seed + 1, backbone="beta")]
    shuffled = random.sample(rows, len(rows))

    assert reduce_scores(table(rows)) == reduce_scores(table(shuffled))
