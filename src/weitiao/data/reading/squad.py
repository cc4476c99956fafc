"""SQuAD 1.1 and 2.0, and what shares their layout (CMRC 2018, XQuAD, DRCD): documents of passages of questions.

Each question becomes a Row: `id`, `document` (its article, for `data.fields.group`), `question`, `context`, `answers`
and `is_impossible`, as far as the file has them. CMRC 2018 in its first form (`context_text`, `query_text`, answers
that are words alone) is read too. Every answer is proved against its passage: a wrong offset is mended where the words
are found, and a row none of whose answers stands in its passage is faulty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weitiao.data.answers import place
from weitiao.data.reading.json import LINES, holds_passages, parsed
from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, refusal, union_of_keys
from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.records import Row

SHOWN = 30  # characters of an answer that a message quotes


class Squad:
    """Questions on passages: SQuAD 1.1 and 2.0, CMRC 2018, XQuAD."""

    def sniff(self, source: Source) -> float:
        if source.suffix in LINES:
            return 0.0
        return 0.95 if holds_passages(source.decoded.text) else 0.0

    def read(self, source: Source, _options: ReadOptions) -> Reading:
        mended: list[RowPlace] = []
        rows = [
            _row(fields, source.name, number, mended)
            for number, fields in enumerate(_questions(parsed(source), source.name), start=1)
        ]
        if not rows:
            raise refusal("empty-file", _("the file holds no questions"), source.name)
        documents = len({row.fields.get("document") for row in rows})
        how = _("{questions} questions on {documents} documents").format(questions=len(rows), documents=documents)
        told = _("; ").join((source.decoded.how, how))
        file = FileReading(source.name, source.sha256, "squad", len(rows), source.decoded.encoding, told)
        return Reading(file, union_of_keys(rows), rows, [*source.text_problems(), *_mended(mended)])


def _questions(value: Any, file: str) -> Iterator[dict[str, object]]:
    """The fields of each question, as the file has them."""
    documents = value.get("data") if isinstance(value, dict) else value
    for number, document in enumerate(_objects(documents, "data", file), start=1):
        if "context_text" in document:
            yield from _questions_of_cmrc(document, str(document.get("context_id") or number), file)
            continue
        name = str(document.get("title") or document.get("id") or number)
        for passage in _objects(document.get("paragraphs"), "paragraphs", file):
            for question in _objects(passage.get("qas"), "qas", file):
                own = {"id": question.get("id"), "document": name, "question": question.get("question")}
                said = {key: question[key] for key in ("answers", "is_impossible") if key in question}
                yield {**own, "context": passage.get("context"), **said}


def _questions_of_cmrc(passage: Mapping[str, Any], name: str, file: str) -> Iterator[dict[str, object]]:
    """The fields of each question of one passage, as CMRC 2018 first named them; answers are words, without offsets."""
    for question in _objects(passage.get("qas"), "qas", file):
        own = {"id": question.get("query_id"), "document": name, "question": question.get("query_text")}
        given = question.get("answers")
        answers = (
            [{"text": each} if isinstance(each, str) else each for each in given] if isinstance(given, list) else []
        )
        yield {**own, "context": passage["context_text"], **({"answers": answers} if "answers" in question else {})}


def _objects(value: Any, key: str, file: str) -> Sequence[Mapping[str, Any]]:
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return value
    raise refusal("bad-json", _("`{key}` is not everywhere an array of objects, as in SQuAD").format(key=key), file)


def _row(fields: dict[str, object], file: str, line: int, mended: list[RowPlace]) -> Row:
    """The Row of a question, its answers where they stand."""
    text, answers = fields["context"], fields.get("answers")
    if not isinstance(text, str) or not isinstance(answers, list):
        return Row(fields, file, line)  # the task says what is missing
    found: list[dict[str, object]] = []
    lost: list[str] = []
    for answer in answers:
        words = answer.get("text") if isinstance(answer, dict) else None
        if not isinstance(words, str) or not words.strip():
            return Row({}, file, line, _("an answer without words"))
        stated = _offset(answer.get("answer_start"))
        placed = place(text, words, stated)
        if placed is None:
            lost.append(words)
            continue
        (start, end), _certain = placed
        if "answer_start" in answer and (stated is None or text[stated : stated + len(words)] != words):
            mended.append(RowPlace(file, line, note=f"{words[:SHOWN]!r}: {stated} -> {start}"))
        found.append({"text": text[start:end], "answer_start": start})
    if lost and not found:
        message = _("the answer '{answer}' does not stand in the text").format(answer=lost[0][:SHOWN])
        return Row({}, file, line, message)
    return Row({**fields, "answers": [*found, *({"text": words, "answer_start": None} for words in lost)]}, file, line)


def _offset(value: object) -> int | None:
    """The offset that a source tells, as a number or its text; None where it tells none."""
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _mended(rows: Sequence[RowPlace]) -> Iterator[Problem]:
    """One note about the answers that stood elsewhere than the file says."""
    if rows:
        message = ngettext(
            "{count} answer does not stand where the file says, and was found by its words: {place}",
            "{count} answers do not stand where the file says, and were found by their words; the first: {place}",
            len(rows),
        ).format(count=len(rows), place=rows[0].note)
        yield Problem(
            "mended-answers", message, file=rows[0].file, line=rows[0].line, severity="note", rows=tuple(rows)
        )
