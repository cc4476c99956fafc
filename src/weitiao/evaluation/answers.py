"""What a report on answers shows beyond its metrics: errors, lengths, question words, existence, alignment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from weitiao.evaluation.classification import MISTAKES, shortened
from weitiao.evaluation.schema import Analysis, FigureRow, FigureTable, Mistake
from weitiao.metrics.classification import class_table, total_counts
from weitiao.metrics.qa import gold_texts
from weitiao.records import AnswerPrediction, AnswerRecord
from weitiao.tasks.gold_answers import out_of_reach
from weitiao.tasks.units import units_of

Predictions = Sequence[AnswerPrediction]
Records = Sequence[AnswerRecord]

LENGTHS = ((1, 1), (2, 3), (4, 8), (9, 16), (17, None))  # units of an answer
CHINESE_WORDS = (  # the first that stands in the question; alternatives are counted under the first
    "为什么|为何|为啥|何以", "什么时候|何时|哪年|哪一年|哪天|几时", "哪里|哪儿|何地|何处|什么地方", "多少|几",
    "如何|怎么|怎样", "谁|何人", "哪", "什么|何",
)  # fmt: skip
ENGLISH_WORDS = ("how many|how much", "who|whom|whose", "when", "where", "why", "which", "how", "what")
OTHER = "other_question"


def analyse(
    task: Any,
    labels: Sequence[str],  # noqa: ARG001 - one signature for all analyses
    predictions: Predictions,
    records: Records,
    *,
    train: Records,  # noqa: ARG001
    texts: bool,
) -> Analysis:
    """The parts of the report that only answers have."""
    tables = [
        _errors(task, predictions, records),
        _existence(predictions, records),
        _scored("answers_by_length", task, predictions, records, [*map(_span, LENGTHS)], _length),
        _scored("answers_by_question", task, predictions, records, _question_words(records), question_word),
        _alignment(task, records),
    ]
    return Analysis(
        mistakes=mistakes(task, predictions, records, texts=texts), tables=[table for table in tables if table.rows]
    )


def _pairs(predictions: Predictions, records: Records) -> Iterator[tuple[AnswerPrediction, AnswerRecord]]:
    return zip(predictions, records, strict=True)


def kind_of(prediction: AnswerPrediction, record: AnswerRecord, *, right: bool) -> str:
    """`right`, `answered_none` (where there is none), `missed_answer`, `partly_right` (they overlap) or `elsewhere`."""
    if right:
        return "right"
    if not record.answers:
        return "answered_none"
    if prediction.start is None or prediction.end is None:
        return "missed_answer"
    over = any(start < prediction.end and prediction.start < end for start, end in record.placed)
    return "partly_right" if over else "elsewhere"


def _errors(task: Any, predictions: Predictions, records: Records) -> FigureTable:
    total = Counter(
        kind_of(said, record, right=task.right(said, record)) for said, record in _pairs(predictions, records)
    )
    names = ("right", "partly_right", "elsewhere", "missed_answer", "answered_none")
    rows = [
        FigureRow(label=name, count=total[name], figures={"share": total[name] / max(total.total(), 1)})
        for name in names
        if total[name] or name in names[:3]
    ]
    return FigureTable(name="answer_errors", rows=rows)


def _existence(predictions: Predictions, records: Records) -> FigureTable:
    """Whether the model knows which texts hold an answer; nothing where all of them do and it always answers."""
    pairs = [(not record.answers, said.no_answer) for said, record in _pairs(predictions, records)]
    if not any(none or silent for none, silent in pairs):
        return FigureTable(name="answer_existence", rows=[])
    names = ("has_answer", "has_none")
    table = class_table([[names[silent]] for _none, silent in pairs], [[names[none]] for none, _silent in pairs], names)
    rows = [
        FigureRow(
            label=name,
            count=int(table.support[index]),
            figures={
                "precision": float(table.precision[index]),
                "recall": float(table.recall[index]),
                "f1": float(table.f1[index]),
            },
        )
        for index, name in enumerate(names)
    ]
    return FigureTable(name="answer_existence", rows=rows)


def _alignment(task: Any, records: Records) -> FigureTable:
    """Rows of whose gold answers at least one can be given exactly, and why the others' cannot."""
    kinds = {"": "fits", "misaligned": "border_in_unit", "long": "long_answer"}
    total = Counter(
        kinds[out_of_reach(record.placed, task.units(record), task.options.max_answer)]
        for record in records
        if record.placed
    )
    rows = [
        FigureRow(label=name, count=total[name], figures={"share": total[name] / total.total()})
        for name in kinds.values()
        if total
    ]
    return FigureTable(name="answer_alignment", rows=rows)


def _scored(
    table: str,
    task: Any,
    predictions: Predictions,
    records: Records,
    labels: Sequence[str],
    label_of: Callable[[AnswerRecord], str],
) -> FigureTable:
    """The metrics on the rows of each label; rows that have none, such as those without an answer, are left out."""
    metrics = task.metrics(())
    own = [label_of(record) for record in records]
    rows = []
    for label in labels:
        chosen = [index for index, each in enumerate(own) if each == label]
        if chosen:
            some = [predictions[index] for index in chosen], [records[index] for index in chosen]
            figures = {metric.name: float(metric.value(total_counts(metric, *some))) for metric in metrics}
            rows.append(FigureRow(label=label, count=len(chosen), figures=figures))
    return FigureTable(name=table, rows=rows)


def _span(bounds: tuple[int, int | None]) -> str:
    low, high = bounds
    return f"{low}" if low == high else f"{low}+" if high is None else f"{low}-{high}"


def _length(record: AnswerRecord) -> str:
    """By the shortest of the right answers, in units."""
    sizes = [len(units_of(text)) for text in gold_texts(record)]
    if not sizes:
        return ""
    return next(_span(each) for each in LENGTHS if min(sizes) <= (each[1] or min(sizes)))


def question_word(record: AnswerRecord) -> str:
    """The word that says what is asked for, such as `who` or `什么`; `OTHER` where there is none."""
    question = record.question.casefold()
    words = CHINESE_WORDS if record.language == "zh" else ENGLISH_WORDS
    border = "" if record.language == "zh" else r"\b"
    found = (each for each in words if re.search(f"{border}(?:{each}){border}", question))
    return next(found, OTHER).split("|")[0]


def _question_words(records: Records) -> list[str]:
    """Those that occur, the commonest first, others last."""
    counts = Counter(question_word(record) for record in records)
    return sorted(counts, key=lambda word: (word == OTHER, -counts[word], word))


def mistakes(task: Any, predictions: Predictions, records: Records, *, texts: bool) -> list[Mistake]:
    """The wrong answers that the model was surest of; without texts they are told by their places."""
    wrong = [
        (said.confidence, index)
        for index, (said, record) in enumerate(_pairs(predictions, records))
        if not task.right(said, record)
    ]
    wrong.sort(key=lambda each: (-each[0], each[1]))
    return [
        Mistake(
            place=records[index].place,
            gold=_gold(records[index], texts=texts),
            predicted=_said(predictions[index], texts=texts),
            confidence=sureness,
            text=shortened(f"{records[index].question}\n{records[index].text}") if texts else None,
        )
        for sureness, index in wrong[:MISTAKES]
    ]


def _gold(record: AnswerRecord, *, texts: bool) -> list[str]:
    if texts:
        return list(dict.fromkeys(gold_texts(record)))
    return [f"{start}-{end}" for start, end in dict.fromkeys(record.placed)]


def _said(prediction: AnswerPrediction, *, texts: bool) -> list[str]:
    if prediction.no_answer:
        return []
    return [prediction.text if texts else f"{prediction.start}-{prediction.end}"]
