"""Hub data sets: `hf:owner/name` or `hf:owner/name:config`, through the optional `datasets` package.

Class numbers become their names; the hub's own splits become the column `split`.
"""

from __future__ import annotations

import re
from typing import Any

from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, plain, refusal, union_of_keys
from weitiao.errors import MissingExtra
from weitiao.messages import _
from weitiao.records import Row
from weitiao.telemetry import silence

SPLIT = "split"
NAME = re.compile(r"hf:(?P<name>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[\w.-]+))?")


class Hub:
    """A data set of the Hugging Face hub, `hf:owner/name` or `hf:owner/name:config`; needs the extra `hub`.

    `line` is the row's number over all splits.
    """

    def sniff(self, source: Source) -> float:
        return 1.0 if source.name.startswith("hf:") else 0.0

    def read(self, source: Source, _options: ReadOptions) -> Reading:
        splits = _load(source.name)
        rows: list[Row] = []
        for split, part in splits.items():
            columns = _columns(part)
            for cells in zip(*columns.values(), strict=True):
                fields = dict(zip(columns, cells, strict=True))
                rows.append(Row({**fields, SPLIT: str(split)}, source.name, len(rows) + 1))
        if not rows:
            raise refusal("empty-file", _("the data set holds no rows"), source.name)
        prints = ",".join(f"{split}={getattr(part, '_fingerprint', '')}" for split, part in splits.items())
        file = FileReading(
            source.name, prints, "hub", len(rows), how=_("splits of the hub: {names}").format(names=", ".join(splits))
        )
        return Reading(file, union_of_keys(rows), rows, (), SPLIT)


def _load(name: str) -> dict[str, Any]:
    match = NAME.fullmatch(name)
    if match is None:
        raise refusal("bad-hub-name", _("not a hub data set; expected hf:owner/name or hf:owner/name:config"), name)
    silence()
    try:
        import datasets  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtra("datasets", "hub") from error
    try:
        found = datasets.load_dataset(match["name"], match["config"])
    except Exception as error:  # the hub's client raises a dozen types: no network, no such name, no such config
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise refusal("hub", _("the data set cannot be loaded ({reason})").format(reason=reason), name) from error
    return dict(found)


def _columns(part: Any) -> dict[str, list[object]]:
    """Column name -> values of one split, class numbers as names."""
    return {str(name): _named(part.features[name], part[name][:]) for name in part.column_names if name != SPLIT}


def _named(feature: Any, values: list[Any]) -> list[object]:
    """Class numbers, alone or in lists, as the names that the data set gives them."""
    inner = getattr(feature, "feature", None)
    if inner is not None and hasattr(inner, "int2str"):
        return [None if value is None else [_label(inner, each) for each in value] for value in values]
    if hasattr(feature, "int2str"):
        return [_label(feature, value) for value in values]
    return [plain(value) for value in values]


def _label(feature: Any, value: int | None) -> object:
    """-1 is the hub's way to say that a row has no label."""
    return None if value is None or value < 0 else feature.int2str(value)
