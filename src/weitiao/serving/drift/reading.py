"""What is looked at in a text and in its answer: numbers only, so that nothing of a text is kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from weitiao.records import Prediction, Record
from weitiao.text import Tokenizer

NOTHING = "(none)"  # an answer without a label
NO_ANSWER, ANSWER = "no_answer", "answer"
DIGITS = 4  # that are kept of a number: the rest varies with the texts beside one in a batch, and is no drift


@dataclass(frozen=True, slots=True)
class Look:
    """One record and its answer.

    Args:
        length: tokens of its text.
        unknown: share of them that the tokenizer does not know.
        unseen: share of them that no training text had.
        labels: what was answered, each label once.
        confidence: how sure the model is; None where it does not say.
        score: the number that was answered, of tasks with numbers.
    """

    length: int
    unknown: float
    unseen: float
    labels: tuple[str, ...]
    confidence: float | None
    score: float | None


def token_ids(task: Any, tokenizer: Tokenizer, records: Sequence[Record]) -> list[list[int]]:
    """The tokens of each record's text, without special ones."""
    texts = [task.surface(record) for record in records]
    return [encoding.ids for encoding in tokenizer.backend.encode_batch_fast(texts, add_special_tokens=False)]


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The token that stands for what the tokenizer does not know; None where it knows every byte."""
    name = getattr(tokenizer.backend.model, "unk_token", None)
    if isinstance(name, str):
        return tokenizer.backend.token_to_id(name)
    return next((found for each in ("[UNK]", "<unk>") if (found := tokenizer.backend.token_to_id(each))), None)


def look(ids: Sequence[int], prediction: Prediction, *, unknown: int | None, seen: Collection[int]) -> Look:
    """What is kept of one record."""
    size = max(len(ids), 1)
    return Look(
        length=len(ids),
        unknown=sum(each == unknown for each in ids) / size,
        unseen=sum(each not in seen for each in ids) / size,
        labels=labels_of(prediction),
        confidence=_rounded(confidence_of(prediction)),
        score=_rounded(score_of(prediction)),
    )


def labels_of(prediction: Any) -> tuple[str, ...]:
    """The labels in an answer, each once; `NOTHING` where it has none, and no label of tasks that have no labels."""
    if hasattr(prediction, "no_answer"):
        return (NO_ANSWER if prediction.no_answer else ANSWER,)
    found = [
        *getattr(prediction, "labels", ()),
        *getattr(prediction, "intents", ()),
        *(each.label for each in getattr(prediction, "spans", ())),
        *(each.type for each in getattr(prediction, "events", ())),
        *(each.deprel for each in getattr(prediction, "tokens", ())),
    ]
    if score_of(prediction) is not None or hasattr(prediction, "vector"):
        return ()
    return tuple(dict.fromkeys(found)) or (NOTHING,)


def confidence_of(prediction: Any) -> float | None:
    """The confidence of an answer, or the lowest of its parts; None where there is none."""
    if (told := getattr(prediction, "confidence", None)) is not None:
        return float(told)
    parts = next((each for name in ("spans", "events", "tokens") if (each := getattr(prediction, name, ()))), ())
    return min((float(each.confidence) for each in parts), default=None)


def score_of(prediction: Any) -> float | None:
    """The number that is the answer; None of tasks whose answers are none."""
    told = getattr(prediction, "score", getattr(prediction, "similarity", None))
    return None if told is None else float(told)


def _rounded(number: float | None) -> float | None:
    """To `DIGITS` significant digits."""
    return None if number is None else float(f"{number:.{DIGITS}g}")
