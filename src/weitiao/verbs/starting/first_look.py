"""A look at the rows before there is a recipe: what a new one is set to. Nothing here imports torch.

Rows go in, a `Start` comes out: a starter for the language of the texts, its head, shares for dev and
test where the rows name no splits, and enough epochs. Small data sets need many passes, not the usual three: Mosbach et
al. 2021, "On the Stability of Fine-tuning BERT", section 6; Zhang et al. 2021, "Revisiting Few-sample BERT
Fine-tuning", on training iterations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from weitiao.data.fields import SHOWN, FieldLike, known_names, map_columns
from weitiao.data.loading import SPLIT_COLUMNS
from weitiao.data.reading import Tabular, stream_rows
from weitiao.data.sources import HUB, expand
from weitiao.data.splitting import split_values
from weitiao.errors import Refused, refuse_if_errors
from weitiao.messages import _
from weitiao.recipe import TrainingSpec
from weitiao.recipe.specs import share_of
from weitiao.records import Row
from weitiao.text import CHINESE, han_share
from weitiao.verbs.preparing.model_checks import MEAN_POOLED

EXAMPLE = "reviews.csv"
SHARES = {"dev": "10%", "test": "20%"}
TOKEN_HEAD_RATE = 3e-3  # by benchmarks/understanding.py: cluener2020 has a span F1 of 0.43, without it 0.17 (one seed)
STEPS = 200  # that training should have at least
FEWEST, MOST = 3, 20  # epochs: Devlin et al. 2019, appendix A.3; Mosbach et al. 2021, section 6
LOOKED_AT = 5000  # rows; of more, the fewest epochs are steps enough
SOME = 0.01  # share of Chinese texts from which a starter must know Chinese
OPENING = 500  # characters of a text that tell its language


@dataclass(frozen=True, slots=True)
class Start:
    """What a new recipe sets; every other key stays at its default.

    Args:
        given: section -> key -> value.
        remarks: dotted key -> a comment above it.
    """

    given: Mapping[str, Mapping[str, Any]]
    remarks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of the rows.

    Args:
        chinese: share of the texts that are Chinese, 0 to 1.
        train: rows that training will have; None where there are more than were looked at, or it is not known.
        split_column: the column that says which split a row belongs to; empty where there is none.
        columns: the columns, where some field of the task was found in none of them.
    """

    chinese: float
    train: int | None
    split_column: str
    columns: Sequence[str]


def starting_point(
    fields: Sequence[FieldLike], data: str = "", model: str = "", *, pools: bool = True, tokens: bool = False
) -> Start:
    """What a new recipe for these rows sets.

    Args:
        fields: the task's.
        data: the source of labelled rows; an example name without it.
        model: the pretrained model; a starter for the language of the rows without it.
        pools: whether the task reads one answer from the whole text.
        tokens: whether a head of its own looks at every token.

    Raises:
        ProblemsFound: there is no such source.
    """
    look = look_at(data, fields) if data else None
    name = model or ("starter:en" if look and look.chinese < SOME else "starter:zh-en")
    model_keys: dict[str, Any] = {"name": name}
    data_keys: dict[str, Any] = {"file": data or EXAMPLE}
    training: dict[str, Any] = {}
    remarks: dict[str, str] = {}
    if name in MEAN_POOLED and tokens:
        training["head_learning_rate"] = TOKEN_HEAD_RATE
    if name in MEAN_POOLED and pools:
        model_keys["head"] = "mean"
        remarks["model.head"] = _("mean, for the pooler that this starter's stock head would read is untrained")
    if look is None or not look.split_column:
        data_keys |= SHARES
    if look is not None:
        training["epochs"] = epochs = enough_epochs(look.train)
        remarks |= _remarks(look, epochs)
    return Start({"model": model_keys, "data": data_keys, "training": training}, remarks)


def sources(data: str) -> list[str]:
    """The files and hub ids that `data` stands for.

    Raises:
        ProblemsFound: there is no such file, or nothing matches the pattern.
    """
    names, problems = expand(data)
    refuse_if_errors(problems)
    return names


def look_at(data: str, fields: Sequence[FieldLike]) -> Look | None:
    """What its first rows tell; None where no hub is asked, or nothing can be read (`check` then says why).

    Raises:
        ProblemsFound: there is no such source.
    """
    names, looked_for = sources(data), known_names({}, fields)
    if any(name.startswith(HUB) for name in names):
        return None
    try:
        first = stream_rows(names[0], names=looked_for)
        others = (stream_rows(name, names=looked_for) for name in names[1:])
        rows = list(islice(_rows(first, others), LOOKED_AT + 1))
    except Refused:
        return None
    return _seen(first, rows, fields)


def _rows(first: Tabular, others: Iterator[Tabular]) -> Iterator[Row]:
    for table in chain([first], others):
        yield from table.open()


def _seen(table: Tabular, rows: Sequence[Row], fields: Sequence[FieldLike]) -> Look:
    mapped, missing = map_columns(table, {}, fields)
    texts = [each.name for each in fields if each.name in mapped.paths and not each.only_labelled]
    column = mapped.paths[texts[0]][0] if texts else _longest(table.columns, rows)
    own = next((each for each in table.columns if each.strip().casefold() in SPLIT_COLUMNS), "")
    split = table.split_column or own
    return Look(_chinese(column, rows), _training_rows(rows, split), split, table.columns if missing else ())


def _longest(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The column that holds the most text."""
    lengths = {column: sum(len(_text(row, column)) for row in rows) for column in columns}
    return max(lengths, key=lambda column: lengths[column], default="")


def _text(row: Row, column: str) -> str:
    value = row.fields.get(column)
    return value if isinstance(value, str) else ""


def _chinese(column: str, rows: Sequence[Row]) -> float:
    """Share of the rows whose text is Chinese."""
    chinese = sum(han_share(_text(row, column)[:OPENING]) >= CHINESE for row in rows)
    return chinese / len(rows) if rows else 0.0


def _training_rows(rows: Sequence[Row], split_column: str) -> int | None:
    """Rows left for training once dev and test have theirs; None where that is not known."""
    if len(rows) > LOOKED_AT:
        return None
    if split_column:
        names = split_values({})
        values = (str(row.fields.get(split_column) or "").strip().casefold() for row in rows)
        return sum(names.get(value) == "train" for value in values) or None
    left = math.prod(1 - (share_of(share) or 0) for share in SHARES.values())
    return round(left * len(rows)) or None


def enough_epochs(train: int | None) -> int:
    """Epochs that make about `STEPS` steps of so many training rows (None: of very many), within bounds."""
    if train is None:
        return FEWEST
    return min(max(math.ceil(STEPS * TrainingSpec().batch_size / max(train, 1)), FEWEST), MOST)


def _remarks(look: Look, epochs: int) -> Iterator[tuple[str, str]]:
    """Comments on what was seen."""
    if look.train is not None and epochs > FEWEST:
        steps = epochs * math.ceil(look.train / TrainingSpec().batch_size)
        remark = _("few rows need many passes: {epochs} of about {rows} training rows make {steps} steps")
        yield "training.epochs", remark.format(epochs=epochs, rows=look.train, steps=steps)
    if look.columns:
        shown = [one_line(column) for column in look.columns[:SHOWN]]
        more = ["..."] if len(look.columns) > SHOWN else []
        yield "data.fields", _("the columns are: {columns}").format(columns=", ".join([*shown, *more]))


def one_line(text: str) -> str:
    """`text` as a comment can hold it: no line breaks, nothing that cannot be printed."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
