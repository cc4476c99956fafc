"""Gold answers as sources write them, and what stands in the way of learning them.

A cell's value goes in; answers that stand in the text come out, or a `RowFault` that says what is wrong with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from weitiao.data.answers import place
from weitiao.errors import Problem, RowPlace, Severity
from weitiao.messages import _, ngettext
from weitiao.records import AnswerRecord, GoldAnswer
from weitiao.tasks import RowFault
from weitiao.tasks.sharing import shared_with_train
from weitiao.tasks.units import Bounds
from weitiao.tasks.values import is_blank, text_of

STARTS = ("answer_start", "start", "start_offset", "begin")
WORDS = ("text", "answer", "value")
YES, NO = ("true", "1", "yes"), ("false", "0", "no", "")
SHOWN = 30  # characters of an answer that a message quotes
Stated = tuple[str, int | None]  # an answer's words, and the offset that the source tells


def read_answers(text: str, value: object, impossible: object) -> tuple[tuple[GoldAnswer, ...] | None, int]:
    """(the answers in their places, how many places are guessed); None where the row says nothing of answers.

    Args:
        text: in which they stand.
        value: a text, a list of texts or of {text, answer_start}, or SQuAD's {text: [...], answer_start: [...]}.
        impossible: whether the row says that there is none; None where it does not say.

    Raises:
        RowFault: one is no answer, or none of them stands in the text.
    """
    none = _is_impossible(impossible)
    stated = _stated(value)
    if none and stated:
        raise RowFault(_("is_impossible, and yet the answer '{answer}'").format(answer=stated[0][0][:SHOWN]))
    if none:
        return (), 0
    if stated is None:
        return None, 0
    found, guessed = [], 0
    for words, start in stated:
        placed = place(text, words, start)
        if placed is None:
            found.append(GoldAnswer(text=words.strip(), start=None))
            continue
        (first, last), certain = placed
        guessed += not certain
        found.append(GoldAnswer(text=text[first:last], start=first))
    if found and all(each.start is None for each in found):
        raise RowFault(_("the answer '{answer}' does not stand in the text").format(answer=found[0].text[:SHOWN]))
    return tuple(sorted(found, key=lambda each: each.start is None)), guessed


def _is_impossible(value: object) -> bool:
    word = (text_of(value) or "").strip().casefold()
    if word not in (*YES, *NO):
        raise RowFault(_("is_impossible is '{got}'; expected true or false").format(got=word[:SHOWN]))
    return word in YES


def _stated(value: Any) -> list[Stated] | None:
    """Words and offsets of every answer; None where the cell is empty, which `[]` is not."""
    if isinstance(value, str):
        value = _parsed(value)
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) > 0:
        value = value.tolist()
    if isinstance(value, Mapping):
        value = _by_column(value)
    if isinstance(value, list | tuple):
        return [_one(each) for each in value]
    words = text_of(value)
    return None if words is None or is_blank(words) else [(words, None)]


def _parsed(value: str) -> object:
    """The JSON in a cell; any other text is the answer itself."""
    if not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _by_column(value: Mapping[str, object]) -> list[object]:
    """{text: [...], answer_start: [...]} as a list of answers; one answer stays one."""
    words, starts = _of(value, WORDS), _of(value, STARTS)
    words, starts = (each.tolist() if hasattr(each, "tolist") else each for each in (words, starts))
    if not isinstance(words, list | tuple):
        return [value]
    if starts is None:
        return list(words)
    if not isinstance(starts, list | tuple) or len(starts) != len(words):
        raise RowFault(_("{answers} answers, and another number of offsets").format(answers=len(words)))
    return [{"text": each, "answer_start": start} for each, start in zip(words, starts, strict=True)]


def _one(value: object) -> Stated:
    start = _of(value, STARTS) if isinstance(value, Mapping) else None
    words = text_of(_of(value, WORDS) if isinstance(value, Mapping) else value)
    if words is None or is_blank(words):
        raise RowFault(_("an answer without words"))
    told = text_of(start)
    try:
        return words, None if told is None else int(told)
    except ValueError as error:
        raise RowFault(_("'{got}' is no offset").format(got=told)) from error


def _of(value: Mapping[str, object], names: Sequence[str]) -> object:
    return next((value[name] for name in names if value.get(name) is not None), None)


def answer_problems(
    splits: Mapping[str, Sequence[AnswerRecord]],
    units_of: Callable[[AnswerRecord], Sequence[Bounds]],
    longest: int,
) -> Iterator[Problem]:
    """Findings about gold answers: guessed places, words that are not in the text, what no model can give."""
    for split, records in splits.items():
        kinds: dict[str, list[RowPlace]] = {"guessed": [], "unplaced": [], "misaligned": [], "long": []}
        for record in records:
            kinds["unplaced"] += [_place(record, each) for each in record.answers or () if each.start is None]
            unreachable = out_of_reach(record.placed, units_of(record), longest) if record.placed else ""
            for kind in filter(None, ("guessed" if record.guessed else "", unreachable)):
                kinds[kind].append(_place(record, (record.answers or ())[0]))
        for kind, rows in kinds.items():
            if rows:
                yield _problem(kind, split, rows, longest)


def out_of_reach(answers: Sequence[Bounds], units: Sequence[Bounds], longest: int) -> str:
    """Why none of the answers of a row can be given exactly; empty where one can."""
    starts = {start: index for index, (start, _end) in enumerate(units)}
    ends = {end: index for index, (_start, end) in enumerate(units)}
    aligned = [(starts[start], ends[end]) for start, end in answers if start in starts and end in ends]
    if not aligned:
        return "misaligned"
    return "" if any(last - first < longest for first, last in aligned) else "long"


def _place(record: AnswerRecord, answer: GoldAnswer) -> RowPlace:
    return RowPlace(record.file, record.line, note=repr(answer.text[:SHOWN]))


def _problem(kind: str, split: str, rows: Sequence[RowPlace], longest: int) -> Problem:
    count = len(rows)
    messages = {
        "guessed": ngettext(
            "the place of the answer of {count} row of {split} is told wrongly or not at all, and was guessed by its "
            "words: {answer}",
            "the places of the answers of {count} rows of {split} are told wrongly or not at all, and were guessed by "
            "their words; the first: {answer}",
            count,
        ),
        "unplaced": ngettext(
            "{count} answer of {split} does not stand in its text word for word beside others that do; it counts in "
            "scores and teaches nothing: {answer}",
            "{count} answers of {split} do not stand in their texts word for word beside others that do; they count in "
            "scores and teach nothing; the first: {answer}",
            count,
        ),
        "misaligned": ngettext(
            "the answer of {count} row of {split} begins or ends inside a word, and cannot be found exactly: {answer}",
            "the answers of {count} rows of {split} begin or end inside a word, and cannot be found exactly; "
            "the first: {answer}",
            count,
        ),
        "long": ngettext(
            "the answer of {count} row of {split} is longer than the {longest} words or characters of "
            "`task.max_answer`, and cannot be found whole; raise it: {answer}",
            "the answers of {count} rows of {split} are longer than the {longest} words or characters of "
            "`task.max_answer`, and cannot be found whole; raise it; the first: {answer}",
            count,
        ),
    }
    message = messages[kind].format(count=count, split=split, longest=longest, answer=rows[0].note)
    severity: Severity = "warning" if kind in ("misaligned", "long") else "note"
    return Problem(f"{kind}-answers", message, rows[0].file, rows[0].line, severity, tuple(rows))


def shared_texts(splits: Mapping[str, Sequence[AnswerRecord]]) -> Iterator[Problem]:
    """A warning where dev or test asks about texts that train asks about too: then a score says little of new texts."""
    for split, total, rows in shared_with_train(splits, lambda record: record.text):
        message = ngettext(
            "{count} of {total} rows of {split} asks about a text that train asks about too; keep them together "
            "with data.fields.group, such as the column of the document",
            "{count} of {total} rows of {split} ask about texts that train asks about too; keep them together "
            "with data.fields.group, such as the column of the document",
            len(rows),
        ).format(count=len(rows), total=total, split=split)
        yield Problem("shared-texts", message, rows[0].file, rows[0].line, "warning", rows)
