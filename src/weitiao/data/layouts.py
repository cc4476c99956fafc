"""Well-known files whose columns have names, or an order, of their own: those of GLUE, CLUE and SNLI.

The columns of a source flow in, and which of them hold the text, the second text and the label flows out. Names that
every task looks for anyway (`sentence1`, `label`, ...) need no entry here. A layout holds for tasks that take its
texts, and only where the recipe names no column for them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from weitiao.data.reading.source import Tabular

FIRST_ROWS = 200  # by which a table without a header is told
TEXTS = frozenset({"text", "text_pair"})
LABEL = "label"
UNDECIDED = "-"  # the label of a pair on which the annotators of SNLI did not agree
INFERENCES = frozenset({"entailment", "neutral", "contradiction", UNDECIDED})


@dataclass(frozen=True, slots=True)
class Layout:
    """One known set of columns.

    Args:
        fields: field -> its column, case-folded; all these columns but that of the label are there.
        joined: fields whose column holds a list of texts, which are put together.
    """

    fields: Mapping[str, str]
    joined: frozenset[str] = frozenset()


NAMED = (
    Layout({"text": "question", "text_pair": "sentence"}),  # QNLI
    Layout({"text": "#1 string", "text_pair": "#2 string", LABEL: "quality"}),  # MRPC
    Layout({"text": "question1", "text_pair": "question2", LABEL: "is_duplicate"}),  # QQP
    Layout({"text": "sentence1", "text_pair": "sentence2", LABEL: "gold_label"}),  # MNLI, SNLI
    Layout({"text": "abst", "text_pair": "keyword"}, frozenset({"text_pair"})),  # CSL of CLUE
)
COLA = Layout({LABEL: "2", "text": "4"})  # source, label, mark of the author, sentence; no header
NAMES = frozenset({"#1 string", "#2 string", "is_duplicate", "gold_label", "abst"})  # evidence for a header


def known_layout(reading: Tabular, fields: Collection[str]) -> Layout | None:
    """The layout of a source, of those whose texts the task takes; None where it is no known one."""
    folded = {column.strip().casefold() for column in reading.columns}
    for layout in NAMED:
        if layout.fields.keys() & TEXTS <= set(fields) and _texts_of(layout) <= folded:
            return layout
    return COLA if {"text", LABEL} <= set(fields) and _is_cola(reading) else None


def undecided(values: Sequence[object]) -> bool:
    """Whether the labels of a source are those of inferences, `-` among them."""
    found = {value for value in values if isinstance(value, str)}
    return UNDECIDED in found and len(found) > 1 and found <= INFERENCES


def _texts_of(layout: Layout) -> set[str]:
    return {column for field, column in layout.fields.items() if field in TEXTS}


def _is_cola(reading: Tabular) -> bool:
    """Four columns without names: the second holds 0 and 1, the third a star or nothing."""
    if [column for column in reading.columns if column != reading.split_column] != ["1", "2", "3", "4"]:
        return False
    opening = [row.fields for row in islice(reading.open(), FIRST_ROWS) if not row.problem]
    return bool(opening) and all(row.get("2") in ("0", "1") and row.get("3") in ("", "*") for row in opening)
