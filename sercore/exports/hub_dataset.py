"""A corpus as a folder that `datasets.load_dataset` reads: Parquet files and a card.

Audio is not copied: `path` is relative to the folder of the corpus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import DatasetCardData

from sercore.__about__ import __version__
from sercore.exports.manifests import utterances_table

if TYPE_CHECKING:
    from pathlib import Path

    from sercore.exports.manifests import ExportedCorpus

_EVERYTHING = "all"
_UNDIVIDED = "utterances"  # `all` is a word of `datasets`
_TYPES = {pa.int64(): "int64", pa.int32(): "int32", pa.float64(): "float64"}


def write_dataset(corpus: ExportedCorpus, folder: Path) -> None:
    """Write one configuration with all utterances, and one for each division."""
    table = utterances_table(corpus)
    place = table.schema.get_field_index("emotion")
    codes = [None if label < 0 else label for label in corpus.planned.labels.tolist()]
    table = table.set_column(place, "emotion", pa.array(codes, pa.int64()))
    parts = {_EVERYTHING: {_UNDIVIDED: table}}
    for split in corpus.splits:
        parts[corpus.split_name(split)] = {
            "train": table.take(split.train),
            "test": table.take(split.test),
        }
    for config, sides in parts.items():
        (folder / "data" / config).mkdir(parents=True)
        for side, part in sides.items():
            pq.write_table(part, folder / "data" / config / f"{side}.parquet", compression="zstd")
    (folder / "README.md").write_text(_card(corpus, table.schema, parts), encoding="utf-8")


def _card(corpus: ExportedCorpus, schema: pa.Schema, parts: dict[str, dict[str, pa.Table]]) -> str:
    card = corpus.planned.corpus.card
    metadata = DatasetCardData(
        pretty_name=card.title,
        license="other",
        license_name=card.licence,
        task_categories=["audio-classification"],
        configs=[
            {
                "config_name": config,
                "data_files": [
                    {"split": side, "path": f"data/{config}/{side}.parquet"} for side in sides
                ],
            }
            for config, sides in parts.items()
        ],
        dataset_info=[
            {
                "config_name": config,
                "features": [_feature(field, corpus.classes) for field in schema],
            }
            for config in parts
        ],
    )
    about = (
        f"Labels and splits of the protocol `{corpus.protocol.id}`, written by sercore "
        f"{__version__} from the manifest `{corpus.planned.manifest.digest}`."
    )
    audio = (
        "`path` is relative to the folder of the corpus; no audio is included. Licence of the "
        f"corpus: {card.licence or 'not stated'}."
    )
    head = ["---", metadata.to_yaml().strip(), "---", ""]
    lines = [*head, f"# {card.title}", "", about, "", audio, ""]
    if card.homepage:
        lines += [f"Home page: {card.homepage}", ""]
    return "\n".join(lines)


def _feature(field: pa.Field, classes: tuple[str, ...]) -> dict[str, Any]:
    if field.name == "emotion":
        names = {str(place): name for place, name in enumerate(classes)}
        return {"name": field.name, "dtype": {"class_label": {"names": names}}}
    if pa.types.is_list(field.type):
        return {"name": field.name, "list": "string"}
    return {"name": field.name, "dtype": _TYPES.get(field.type, "string")}
