"""What a report on spans shows beyond its metrics: labels, lengths, new and known forms, kinds of errors, alignment.

Strict scores stand first; what reports of other tools often quote instead (token accuracy, an F1 that counts O as a
label) stands once beside them, under its own name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from weitiao.evaluation.classification import MISTAKES, shortened
from weitiao.evaluation.schema import Analysis, ClassScore, FigureRow, FigureTable, Mistake
from weitiao.metrics.classification import f1, precision, recall, split_counts
from weitiao.metrics.spans import OUTSIDE, Found, keys, span_counts
from weitiao.records import Span, TagPrediction, TagRecord
from weitiao.tasks.spans import covering, fitting, misaligned, nested, without_overlaps

LENGTHS = ((1, 1), (2, 2), (3, 4), (5, 8), (9, None))  # units of a span

Predictions = Sequence[TagPrediction]
Records = Sequence[TagRecord]


def analyse(
    task: Any, labels: Sequence[str], predictions: Predictions, records: Records, *, train: Records, texts: bool
) -> Analysis:
    """The parts of the report that only spans have."""
    known = set(labels)
    tables = [
        errors(predictions, records),
        _by_length(task, predictions, records),
        *([_by_form(predictions, records, train)] if train else []),
        _by_unit(task, predictions, records),
        _alignment(task, records),
    ]
    return Analysis(
        per_class=class_scores(predictions, records, labels),
        unseen=sum(span.label not in known for record in records for span in record.spans or ()),
        mistakes=mistakes(predictions, records, texts=texts),
        tables=[table for table in tables if table.rows],
    )


def analyse_overlapping(
    task: Any, labels: Sequence[str], predictions: Predictions, records: Records, *, train: Records, texts: bool
) -> Analysis:
    """As `analyse`, of spans that may be nested: these have scores of their own, and flat tags are no question."""
    found = analyse(task, labels, predictions, records, train=train, texts=texts)
    unit_alignment = in_units(task, records, task.options.max_width)
    flat = [table for table in found.tables if table.name not in ("by_unit", "span_alignment")]
    return found.model_copy(update={"tables": [*flat, _by_nesting(predictions, records), unit_alignment]})


def class_scores(predictions: Predictions, records: Records, labels: Sequence[str]) -> list[ClassScore]:
    """Strict precision, recall and F1 of each label."""
    slots = {label: index for index, label in enumerate(labels)}
    counts = [span_counts(each.spans, record.spans or (), slots) for each, record in _pairs(predictions, records)]
    hits, answers, gold = split_counts(np.sum(counts, axis=0))
    scores = (precision(hits, answers, gold), recall(hits, answers, gold), f1(hits, answers, gold), gold, answers)
    return [
        ClassScore(
            label=label, precision=float(scores[0][c]), recall=float(scores[1][c]), f1=float(scores[2][c]),
            support=int(scores[3][c]), answers=int(scores[4][c]),
        )
        for label, c in slots.items()
    ]  # fmt: skip


def _pairs(predictions: Predictions, records: Records) -> Iterator[tuple[TagPrediction, TagRecord]]:
    return zip(predictions, records, strict=True)


def kinds_of_errors(answers: Sequence[Span], gold: Sequence[Span]) -> Counter[str]:
    """Right answers, and what became of the other spans: each answer and each missed gold span once.

    Of a wrong answer, the gold spans that no answer gives count. `wrong_label`: the borders are those of one.
    `wrong_border`: it overlaps one of its label. `wrong_both`: it overlaps one of another label. `spurious`: it
    overlaps none. `missed`: a gold span that no wrong answer overlaps.
    """
    said = set(keys(answers))
    wanted = set(keys(gold)) - said
    wrong = [each for each in keys(answers) if each not in set(keys(gold))]
    counts = Counter({"right": len(answers) - len(wrong)})
    for start, end, label in wrong:
        over = [each for each in wanted if each[0] < end and start < each[1]]
        if any((start, end) == each[:2] for each in over):
            counts["wrong_label"] += 1
        elif any(label == each[2] for each in over):
            counts["wrong_border"] += 1
        else:
            counts["wrong_both" if over else "spurious"] += 1
    counts["missed"] += sum(not any(a < end and start < b for a, b, _label in wrong) for start, end, _own in wanted)
    return counts


def errors(predictions: Predictions, records: Records, name: str = "span_errors") -> FigureTable:
    """How many of the spans were right, and what became of the others."""
    total: Counter[str] = Counter()
    for prediction, record in _pairs(predictions, records):
        total += kinds_of_errors(prediction.spans, record.spans or ())
    every = max(total.total(), 1)
    names = ("right", "wrong_border", "wrong_label", "wrong_both", "spurious", "missed")
    rows = [FigureRow(label=name, count=total[name], figures={"share": total[name] / every}) for name in names]
    return FigureTable(name=name, rows=rows)


def _by_length(task: Any, predictions: Predictions, records: Records) -> FigureTable:
    """Strict scores of spans by their number of units."""
    units = [task.units(record) for record in records]

    def size(row: int, span: Span) -> int:
        return sum(span.start < end and start < span.end for start, end in units[row])

    rows = []
    for low, high in LENGTHS:
        name = f"{low}" if low == high else f"{low}+" if high is None else f"{low}-{high}"

        def within(row: int, span: Span, low: int = low, high: int | None = high) -> bool:
            return low <= size(row, span) <= (high or 10**9)

        rows += _scored(name, predictions, records, within)
    return FigureTable(name="spans_by_length", rows=rows)


def _by_form(predictions: Predictions, records: Records, train: Records) -> FigureTable:
    """Strict scores of spans whose surface form the training rows mark, and of the others."""
    known = {record.text[span.start : span.end] for record in train for span in record.spans or ()}

    def is_known(row: int, span: Span) -> bool:
        return records[row].text[span.start : span.end] in known

    rows = [
        *_scored("seen_form", predictions, records, is_known),
        *_scored("unseen_form", predictions, records, lambda row, span: not is_known(row, span)),
    ]
    return FigureTable(name="spans_by_form", rows=rows)


def _scored(
    name: str, predictions: Predictions, records: Records, chosen: Callable[[int, Span], bool]
) -> list[FigureRow]:
    """Strict scores of the spans that are chosen, of gold and answers alike; nothing where there is no gold one."""
    counts = np.zeros(3)
    for row, (prediction, record) in enumerate(_pairs(predictions, records)):
        answers = [span for span in prediction.spans if chosen(row, span)]
        gold = [span for span in record.spans or () if chosen(row, span)]
        counts += [len(set(keys(answers)) & set(keys(gold))), len(answers), len(gold)]
    if not counts[2]:
        return []
    ratios = {"precision": precision, "recall": recall, "f1": f1}
    figures = {ratio: float(value(*counts[:, None])[0]) for ratio, value in ratios.items()}
    return [FigureRow(label=name, count=int(counts[2]), figures=figures)]


def _by_nesting(predictions: Predictions, records: Records) -> FigureTable:
    """Strict scores of the spans that overlap another one of their side, and of those that stand alone."""
    sides = [[_entangled(each.spans or ()) for each in side] for side in (predictions, records)]

    def is_nested(row: int, span: Span) -> bool:
        return any((span.start, span.end, span.label) in side[row] for side in sides)

    rows = [
        *_scored("nested_span", predictions, records, is_nested),
        *_scored("single_span", predictions, records, lambda row, span: not is_nested(row, span)),
    ]
    return FigureTable(name="spans_by_nesting", rows=rows)


def _entangled(spans: Iterable[Span]) -> set[Found]:
    """The spans that overlap another one."""
    every = keys(spans)
    return {one for one in every for other in every if one != other and one[0] < other[1] and other[0] < one[1]}


def _by_unit(task: Any, predictions: Predictions, records: Records) -> FigureTable:
    """What other reports quote: the share of units with the right label, and an F1 with O as a label like others."""
    right, total = 0, 0
    confusion: Counter[tuple[str, str]] = Counter()
    for prediction, record in _pairs(predictions, records):
        units = task.units(record)
        gold, said = (_unit_labels(spans, units) for spans in (record.spans or (), prediction.spans))
        total += len(units)
        right += sum(a == b for a, b in zip(gold, said, strict=True))
        confusion.update(zip(gold, said, strict=True))
    if not total:
        return FigureTable(name="by_unit", rows=[])
    figures = {"token_accuracy": right / total, "macro_f1_with_outside": _macro_f1(confusion)}
    return FigureTable(name="by_unit", rows=[FigureRow(label="units", count=total, figures=figures)])


def _unit_labels(spans: Iterable[Span], units: Sequence[tuple[int, int]]) -> list[str]:
    labels = [OUTSIDE] * len(units)
    for start, end, label in fitting(without_overlaps(spans), units):
        labels[start:end] = [label] * (end - start)
    return labels


def _macro_f1(confusion: Counter[tuple[str, str]]) -> float:
    labels = sorted({label for pair in confusion for label in pair})
    gold, said = Counter[str](), Counter[str]()
    for (truth, answer), times in confusion.items():
        gold[truth] += times
        said[answer] += times
    counts = [(confusion[label, label], said[label], gold[label]) for label in labels]
    return float(f1(*np.array(counts, dtype=np.float64).T).mean())


def _alignment(task: Any, records: Records) -> FigureTable:
    """Gold spans that flat tags over the units cannot give, whatever the model: each costs recall."""
    total = Counter[str]()
    for record in records:
        spans, units = list(record.spans or ()), task.units(record)
        over, inside = set(nested(spans)), set(misaligned(spans, units))
        total["overlapping_span"] += len(over)
        total["border_in_unit"] += len(inside - over)
        total["fits"] += len(spans) - len(over | inside)
    every = max(total.total(), 1)
    rows = [
        FigureRow(label=name, count=total[name], figures={"share": total[name] / every})
        for name in ("fits", "border_in_unit", "overlapping_span")
    ]
    return FigureTable(name="span_alignment", rows=rows)


def in_units(task: Any, records: Records, widest: int | None = None) -> FigureTable:
    """Gold spans that begin and end at units, and those that no model over the units can give.

    Args:
        task: the Task.
        records: the measured rows.
        widest: units of the longest span that the model scores; None where there is no such limit.
    """
    total = Counter({"fits": 0, "border_in_unit": 0} | ({} if widest is None else {"wide_span": 0}))
    for record in records:
        spans, units = list(record.spans or ()), task.units(record)
        inside = set(misaligned(spans, units))
        total["border_in_unit"] += len(inside)
        for first, behind, _label in covering([span for span in spans if span not in inside], units):
            total["fits" if widest is None or behind - first <= widest else "wide_span"] += 1
    every = max(total.total(), 1)
    rows = [FigureRow(label=name, count=count, figures={"share": count / every}) for name, count in total.items()]
    return FigureTable(name="unit_alignment", rows=rows)


def mistakes(predictions: Predictions, records: Records, *, texts: bool) -> list[Mistake]:
    """The texts with the surest wrong span; without texts the spans are told by their places."""
    wrong = []
    for index, (prediction, record) in enumerate(_pairs(predictions, records)):
        gold = set(keys(record.spans or ()))
        sure = max((span.confidence for span in prediction.spans if keys([span])[0] not in gold), default=0.0)
        if sure:
            wrong.append((sure, index))
    wrong.sort(key=lambda each: (-each[0], each[1]))
    return [
        Mistake(
            place=records[index].place,
            gold=lacking(records[index].spans or (), predictions[index].spans, text),
            predicted=lacking(predictions[index].spans, records[index].spans or (), text),
            confidence=sureness,
            text=None if text is None else shortened(text),
        )
        for sureness, index in wrong[:MISTAKES]
        for text in [records[index].text if texts else None]
    ]


def lacking(spans: Iterable[Span], others: Iterable[Span], text: str | None) -> list[str]:
    """The spans that the other side lacks, as `label: surface`, or `label start-end`."""
    same = set(keys(others))
    return [
        f"{label} {start}-{end}" if text is None else f"{label}: {text[start:end]}"
        for start, end, label in keys(spans)
        if (start, end, label) not in same
    ]
