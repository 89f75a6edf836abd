"""Scores: one row per cell, adjustment, metric and class, in long form."""

from __future__ import annotations

import pyarrow as pa

SCORE_SCHEMA = pa.schema(
    [
        # probe key
        ("backbone", pa.string()),  # with its variant: whisper-medium:exact
        ("checkpoint", pa.string()),
        ("revision", pa.string()),
        ("weights", pa.string()),  # digest
        ("layer", pa.string()),
        ("audio_path", pa.string()),
        ("dtype", pa.string()),
        ("train_corpus", pa.string()),
        ("train_manifest", pa.string()),  # digest
        ("reading", pa.string()),
        ("mapper", pa.string()),
        ("split", pa.string()),
        ("fold", pa.int32()),
        ("split_seed", pa.int64()),
        ("probe", pa.string()),
        ("probe_settings", pa.string()),  # canonical JSON
        ("probe_seed", pa.int64()),
        ("probe_key", pa.string()),
        # prediction key
        ("test_corpus", pa.string()),
        ("test_manifest", pa.string()),
        ("prediction_key", pa.string()),
        # score key
        ("protocol", pa.string()),
        ("class_rule", pa.string()),  # in-domain cells: "in-domain"
        ("adjustment", pa.string()),
        ("averaging", pa.string()),
        ("metric", pa.string()),
        ("class", pa.string()),  # null: the metric of the whole cell
        # what came out
        ("value", pa.float64()),  # null unless status is done
        ("headline", pa.bool_()),  # the protocol's headline adjustment and metric
        ("in_domain", pa.bool_()),
        ("n_classes", pa.int32()),  # classes that the average runs over
        ("n_train", pa.int64()),
        ("n_test", pa.int64()),
        ("n_dropped", pa.int64()),  # test utterances outside the class rule
        ("n_missing", pa.int64()),  # test utterances without features (undecodable)
        ("complete", pa.bool_()),  # both corpora whole, nothing missing
        ("shared_speakers", pa.int64()),  # in train and test; null where unknown
        ("shared_texts", pa.int64()),
        ("status", pa.string()),  # done, failed, unavailable, skipped
        ("reason", pa.string()),
        ("demo", pa.bool_()),
    ]
)
"""Columns of ``runs/<name>/scores.parquet``. Released columns never change their meaning."""

PREDICTION_COLUMNS = ("row", "utterance_id", "label", "logits")
"""Columns of a predictions file: int64 row of the test manifest, its id, int8 class index under
the mapper (-1: left out), and fixed_size_list<float32>[classes] of unadjusted mean logits."""
