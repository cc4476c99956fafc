"""What a report on intents and slots shows beyond its metrics, and the cheap answers to the same utterances.

Intents are looked at as classes, slots as spans; both views are those of the tasks that do only one of the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weitiao.evaluation import classification, spans
from weitiao.evaluation.baselines import Answers, Splits, majority, tfidf
from weitiao.evaluation.gazetteer import gazetteer
from weitiao.evaluation.schema import Analysis, ClassScore, FigureRow, FigureTable, Mistake
from weitiao.metrics import Metric
from weitiao.metrics.classification import multi_label_metrics, single_label_metrics
from weitiao.metrics.intents import IntentSlotLabels, whole
from weitiao.records import ClassifyPrediction, ClassifyRecord, IntentSlotPrediction, IntentSlotRecord
from weitiao.tasks.classify import ClassifyOptions

Predictions = Sequence[IntentSlotPrediction]
Records = Sequence[IntentSlotRecord]


@dataclass(frozen=True, slots=True)
class Classes:
    """The intents alone, as the parts of this room that know only classes ask for a task."""

    options: ClassifyOptions

    def metrics(self, labels: Sequence[str]) -> Sequence[Metric]:
        """Metrics of classes, headline first."""
        return multi_label_metrics(labels) if self.options.multi_label else single_label_metrics(labels)


def analyse(
    task: Any, labels: Sequence[str], predictions: Predictions, records: Records, *, train: Records, texts: bool
) -> Analysis:
    """The parts of the report that only intents and slots have: both tables, and the surest mistakes of either."""
    known = IntentSlotLabels.of(labels)
    views, gold = [_as_class(each) for each in predictions], as_classes(records)
    beyond = task.options.out_of_scope
    intents = list(dict.fromkeys([*known.intents, *([beyond] if beyond else [])]))
    seen = {*intents, *known.slots}
    of_slots = spans.analyse(task, known.slots, predictions, records, train=train, texts=texts) if known.slots else None
    return Analysis(
        multi_label=known.several,
        per_class=classification.class_scores(views, gold, intents),
        unseen=sum(name not in seen for record in records for name in _named(record)),
        confusion=None if known.several else classification.confusion(views, gold, intents),
        mistakes=mistakes(predictions, records, texts=texts),
        tables=[] if of_slots is None else [_slots(of_slots.per_class), *of_slots.tables],
    )


def _named(record: IntentSlotRecord) -> list[str]:
    return [*(record.intents or ()), *(span.label for span in record.spans or ())]


def _as_class(prediction: IntentSlotPrediction) -> ClassifyPrediction:
    return ClassifyPrediction.model_construct(
        labels=prediction.intents, confidence=prediction.confidence, scores=prediction.scores, abstained=False
    )


def as_classes(records: Iterable[IntentSlotRecord]) -> list[ClassifyRecord]:
    """The records as texts with their intents."""
    return [
        ClassifyRecord(
            file=each.file, line=each.line, group=each.group, text=each.text, text_pair=None, labels=each.intents
        )
        for each in records
    ]


def _slots(scores: Sequence[ClassScore]) -> FigureTable:
    rows = [
        FigureRow(
            label=each.label,
            count=each.support,
            figures={"precision": each.precision, "recall": each.recall, "f1": each.f1},
        )
        for each in scores
    ]
    return FigureTable(name="slots", rows=rows)


def mistakes(predictions: Predictions, records: Records, *, texts: bool) -> list[Mistake]:
    """The utterances with something wrong whose intent was surest; slots are told by what the other side lacks."""
    wrong = [index for index, pair in enumerate(zip(predictions, records, strict=True)) if not whole(*pair)]
    wrong.sort(key=lambda index: (-predictions[index].confidence, index))
    found = []
    for index in wrong[: classification.MISTAKES]:
        record, prediction = records[index], predictions[index]
        text = record.text if texts else None
        found.append(
            Mistake(
                place=record.place,
                gold=[*(record.intents or ()), *spans.lacking(record.spans or (), prediction.spans, text)],
                predicted=[*prediction.intents, *spans.lacking(prediction.spans, record.spans or (), text)],
                confidence=prediction.confidence,
                text=None if text is None else classification.shortened(text),
            )
        )
    return found


def majority_gazetteer(task: Any, splits: Splits) -> Answers:
    """The commonest intent, and the slots that the training rows mark."""
    return _both(majority, task, splits)


def tfidf_gazetteer(task: Any, splits: Splits) -> Answers:
    """Intents by TF-IDF and logistic regression, and the slots that the training rows mark."""
    return _both(tfidf, task, splits)


def _both(classes: Any, task: Any, splits: Splits) -> Answers:
    known = IntentSlotLabels.of(splits.labels)
    train, dev, rows = (as_classes(each) for each in (splits.train, splits.dev, splits.rows))
    view = Classes(ClassifyOptions(multi_label=known.several))
    intents = classes(view, Splits(train, dev, rows, known.intents, splits.seed))
    slots = gazetteer(task, replace(splits, labels=known.slots))
    answers = [
        IntentSlotPrediction.model_construct(
            spans=slot.spans,
            intents=intent.labels or (max(intent.scores, key=intent.scores.__getitem__),),
            confidence=intent.confidence,
            scores=intent.scores,
        )
        for intent, slot in zip(intents.predictions, slots.predictions, strict=True)
    ]
    return Answers(answers, {**intents.settings, **slots.settings})
