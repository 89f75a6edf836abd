"""A corpus as Croissant metadata (https://docs.mlcommons.org/croissant/) beside a CSV file."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import mlcroissant as mlc

from sercore.exports.manifests import csv_of
from sercore.exports.manifests import flat_table
from sercore.exports.manifests import splits_table

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from sercore.exports.manifests import ExportedCorpus

_DESCRIPTIONS = {
    "utterance_id": "name of the utterance, unique in the corpus",
    "path": "file of the utterance, relative to the folder of the corpus",
    "emotion": "class under the label mapper of the protocol",
    "native_label": "label as the corpus writes it",
    "sha256": "SHA-256 of the recording",
    "side": "train or test",
}
_TYPES = {
    "int64": mlc.DataType.INTEGER,
    "int32": mlc.DataType.INTEGER,
    "double": mlc.DataType.FLOAT,
}


def write_croissant(corpus: ExportedCorpus, folder: Path) -> None:
    """Write ``croissant.json``, and the utterances and splits that it describes as CSV."""
    tables = {"utterances": flat_table(corpus), "splits": splits_table([corpus])}
    context = mlc.Context()
    objects, records = [], []
    for name, table in tables.items():
        data = csv_of(table)
        (folder / f"{name}.csv").write_bytes(data)
        objects.append(
            mlc.FileObject(
                ctx=context,
                id=f"{name}.csv",
                name=f"{name}.csv",
                content_url=f"{name}.csv",
                encoding_formats=["text/csv"],
                sha256=hashlib.sha256(data).hexdigest(),
            )
        )
        records.append(_records(context, name, table))
    card = corpus.planned.corpus.card
    metadata = mlc.Metadata(
        ctx=context,
        name=corpus.id,
        description=f"{card.title}: labels and splits of the protocol {corpus.protocol.id}. "
        "The audio is not part of these files.",
        url=card.homepage,
        license=[card.licence] if card.licence else None,
        cite_as=card.citation,
        in_language=[card.language_code],
        version=_version(corpus),
        distribution=objects,
        record_sets=records,
    )
    text = json.dumps(metadata.to_json(), indent=1, ensure_ascii=False, default=str)
    (folder / "croissant.json").write_text(text + "\n", encoding="utf-8")


def _records(context: mlc.Context, name: str, table: pa.Table) -> mlc.RecordSet:
    return mlc.RecordSet(
        ctx=context,
        id=name,
        name=name,
        fields=[
            mlc.Field(
                ctx=context,
                id=f"{name}/{field.name}",
                name=field.name,
                description=_DESCRIPTIONS.get(field.name, field.name),
                data_types=[_TYPES.get(str(field.type), mlc.DataType.TEXT)],
                source=mlc.Source(
                    ctx=context,
                    file_object=f"{name}.csv",
                    extract=mlc.Extract(ctx=context, column=field.name),
                ),
            )
            for field in table.schema
        ],
    )


def _version(corpus: ExportedCorpus) -> str:
    """Return a version for content that has none: the digest of its manifest."""
    return f"0.0.0+{corpus.planned.manifest.digest[:16]}"
