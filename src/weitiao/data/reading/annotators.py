"""Several annotators' answers to the same examples become one: the majority, and in a tie the first annotator by name.

Spans and relations are voted on one by one, labels as a whole; whoever left an example empty has no vote on it. Where
answers differ is reported, row by row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.records import Row

ANSWERS = ("spans", "relations", "label")
Answers = Mapping[str, Row]  # annotator -> their row of one example


def merged(rows: Mapping[str, Sequence[Row]], file: str) -> tuple[list[Row], list[Problem]]:
    """(a row for each example, what the annotators disagree on).

    Args:
        rows: annotator -> their rows, with `spans`, `relations` and `label` as the answer.
        file: the source, for messages.
    """
    examples: dict[Hashable, dict[str, Row]] = {}
    for annotator in sorted(rows):
        seen: Counter[Hashable] = Counter()
        for row in rows[annotator]:
            key = (str(row.fields.get("id")), str(row.fields.get("text")), row.problem)
            seen[key] += 1
            examples.setdefault((*key, seen[key]), {})[annotator] = row
    found = [_one(answers) for answers in examples.values()]
    return found, _disagreement(list(examples.values()), file)


def _answering(answers: Answers) -> dict[str, Row]:
    """The rows of those who answered; all of them where nobody did."""
    return {name: row for name, row in answers.items() if any(row.fields.get(key) for key in ANSWERS)} or dict(answers)


def _one(answers: Answers) -> Row:
    voting = list(_answering(answers).values())
    first = voting[0]
    if len(voting) == 1:
        return first
    fields = dict(first.fields)
    if "spans" in fields:
        fields["spans"] = _majority([[(_span_key(each), each) for each in _listed(row, "spans")] for row in voting])
    if "relations" in fields:
        fields["relations"] = _relations(voting, _listed(Row(fields, first.file, first.line), "spans"))
    if "label" in fields:
        fields["label"] = _label([row.fields.get("label") for row in voting])
    return Row(fields, first.file, first.line, first.problem)


def _majority(answers: Sequence[Sequence[tuple[Hashable, Any]]]) -> list[Any]:
    """What more than half say, or half of them with the first among them; in order of first sight."""
    counts = Counter(key for answer in answers for key in dict(answer))
    first = dict(answers[0])
    values: dict[Hashable, Any] = {}
    for answer in answers:
        for key, value in answer:
            values.setdefault(key, value)
    half = len(answers) / 2
    return [value for key, value in values.items() if counts[key] > half or (counts[key] == half and key in first)]


def _relations(voting: Sequence[Row], kept: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The relations of the majority between spans that were kept, under the ids of those."""
    ids = {_span_key(span): span.get("id") for span in kept}
    voted = _majority([[(key, key) for key in _relation_keys(row)] for row in voting])
    return [
        {"head": ids[head], "tail": ids[tail], "label": label}
        for head, tail, label in voted
        if head in ids and tail in ids
    ]


def _relation_keys(row: Row) -> list[tuple[Hashable, Hashable, str]]:
    """Relations by what they join instead of by ids, which are each annotator's own."""
    spans = {span.get("id"): _span_key(span) for span in _listed(row, "spans")}
    return [
        (spans[each["head"]], spans[each["tail"]], each["label"])
        for each in _listed(row, "relations")
        if each["head"] in spans and each["tail"] in spans
    ]


def _label(labels: Sequence[Any]) -> Any:
    keys = [_label_key(label) for label in labels]
    counts = Counter(keys)
    return labels[max(range(len(keys)), key=lambda index: (counts[keys[index]], -index))]


def _label_key(label: Any) -> Hashable:
    return tuple(sorted(map(str, label))) if isinstance(label, list) else label


def _span_key(span: Mapping[str, Any]) -> tuple[int, int, str]:
    return span["start"], span["end"], span["label"]


def _listed(row: Row, key: str) -> list[Any]:
    value = row.fields.get(key)
    return value if isinstance(value, list) else []


def _answer_key(row: Row) -> Hashable:
    spans = frozenset(map(_span_key, _listed(row, "spans")))
    return spans, frozenset(_relation_keys(row)), _label_key(row.fields.get("label"))


def _disagreement(examples: Iterable[Answers], file: str) -> list[Problem]:
    several, places = 0, []
    for answers in examples:
        voting = _answering(answers)
        if len(voting) < 2:
            continue
        several += 1
        if len({_answer_key(row) for row in voting.values()}) > 1:
            first = next(iter(voting.values()))
            places.append(RowPlace(first.file, first.line, note=_(", ").join(voting)))
    if not several:
        return []
    message = ngettext(
        "{count} of {rows} rows that several annotators answered has different answers; the majority is taken, "
        "in a tie the first by name",
        "{count} of {rows} rows that several annotators answered have different answers; the majority is taken, "
        "in a tie the first by name",
        len(places),
    ).format(count=len(places), rows=several)
    return [Problem("annotators-disagree", message, file=file, severity="note", rows=tuple(places))]
