"""What steps that write a graph have in common: rows to ask it, the files beside it, its size. Without torch."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from weitiao.artifact import write_json
from weitiao.compression.base import Source
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.onnx import ONNX_FILE
from weitiao.records import Feature, Record

COMPARED = 32  # rows whose answers are compared


def features_of(source: Source, split: str = "dev", rows: int = COMPARED) -> list[Feature]:
    """Features of the first records of a split, or of another one where there are none, without their targets.

    Raises:
        Refused: the run has no rows at all.
    """
    records = _first_records(source, [split, "dev", "train", "test"])[:rows]
    features = source.task.encode(records, source.tokenizer, source.labels, source.max_length)
    return [Feature(each.input_ids, each.token_type_ids, group=each.group, places=each.places) for each in features]


def _first_records(source: Source, splits: Sequence[str]) -> Sequence[Record]:
    """The records of the first of the splits that has some."""
    reason = _("it has no rows")
    for split in splits:
        try:
            if records := source.records(split):
                return records
        except Refused as error:
            reason = str(error)
    message = _("{folder}: a graph is compared with its network on rows ({reason}); name some with --data")
    raise Refused(message.format(folder=source.folder, reason=reason))


def copy_beside(source: Source, folder: Path) -> None:
    """Tokenizer, config and task.json of the source, beside the graph."""
    for path in sorted(source.folder.iterdir()):
        if path.suffix in {".json", ".txt", ".model", ".jinja"} and not path.name.endswith(".index.json"):
            shutil.copyfile(path, folder / path.name)
    if not (folder / "tokenizer.json").is_file():
        source.tokenizer.backend.save(str(folder / "tokenizer.json"))
    write_json(folder / "task.json", source.card)


def size_of(folder: Path) -> int:
    """Bytes of the graph, with the weights that stand beside it."""
    return sum(each.stat().st_size for each in folder.glob(ONNX_FILE + "*"))
