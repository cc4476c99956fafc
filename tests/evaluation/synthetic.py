"""A small, seeded classification run: records, predictions and the report made of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from weitiao.evaluation.report import RunFacts, measure, spread
from weitiao.evaluation.schema import Curves, DataSummary, DevPoint, Report, Timing, TrainPoint
from weitiao.recipe import EvaluationSpec, ReportSpec
from weitiao.records import ClassifyPrediction, ClassifyRecord
from weitiao.tasks.classify import Classify

LABELS = ("负面", "中性", "正面")
HOSTILE = '<script>document.title = "owned"</script> & "quoted" 味道不错'
WORDS = {
    "负面": ("太难吃", "送餐慢", "再也不来"),
    "中性": ("一般般", "还行吧", "没什么特别"),
    "正面": ("很好吃", "推荐", "包装精致"),
}


def rows(count: int, seed: int, labels: tuple[str, ...] = LABELS) -> list[ClassifyRecord]:
    """Short reviews of varying length, each with a telling word."""
    rng = np.random.default_rng(seed)
    made = []
    for line in range(count):
        label = str(rng.choice(labels))
        words = WORDS.get(label, (label,))
        text = "，".join([str(rng.choice(words)), *(f"第{rng.integers(40)}次点单" for _ in range(rng.integers(6)))])
        made.append(ClassifyRecord(file="reviews.csv", line=line + 2, text=text, labels=(label,)))
    return made


def answers(records: list[ClassifyRecord], seed: int, skill: float = 3.0, labels: tuple[str, ...] = LABELS):
    """A model's answers: noisy scores that lean towards the gold label by `skill`."""
    rng = np.random.default_rng(seed)
    made = []
    for record in records:
        logits = rng.normal(0, 1, len(labels)) + skill * np.array([label in record.labels for label in labels])
        scores = np.exp(logits) / np.exp(logits).sum()
        best = int(scores.argmax())
        made.append(
            ClassifyPrediction(
                labels=(labels[best],),
                confidence=float(scores[best]),
                scores=dict(zip(labels, scores.tolist(), strict=True)),
            )
        )
    return made


def curves(dev: tuple[float, ...] = (0.82, 0.88, 0.89), losses: tuple[float, ...] = (0.7, 0.35, 0.22)) -> Curves:
    """Three epochs of ten steps."""
    train = [TrainPoint(step=s, epoch=s / 10, loss=1.1 * float(np.exp(-s / 12)) + 0.1) for s in range(1, 31)]
    points = [
        DevPoint(step=10 * e, epoch=e, metrics={"accuracy": value, "loss": 0.5 - 0.05 * e}, train_loss=loss)
        for e, (value, loss) in enumerate(zip(dev, losses, strict=True), start=1)
    ]
    return Curves(train=train, dev=points, learning_rate=5e-5)


def report(
    *,
    texts: bool = True,
    split: str = "test",
    labels: tuple[str, ...] = LABELS,
    count: int = 400,
    seeds: Mapping[str, float] | None = None,
    folds: Mapping[str, float] | None = None,
) -> Report:
    """A whole report; one of its confident mistakes holds HTML."""
    records = rows(count, seed=3, labels=labels)
    predictions = answers(records, seed=4, labels=labels)
    wrong = next(label for label in labels if label not in records[0].labels)
    records[0] = records[0].model_copy(update={"text": HOSTILE})
    scores = {label: 0.99 if label == wrong else 0.01 / (len(labels) - 1) for label in labels}
    predictions[0] = ClassifyPrediction(labels=(wrong,), confidence=0.99, scores=scores)
    facts = RunFacts(
        name="runs/reviews",
        model="starter:zh-en",
        method="full",
        recipe="task: classify\nmodel: starter:zh-en\n",
        curves=curves(),
        data=DataSummary(
            rows={"train": 300, "dev": 60, "test": count},
            ledger={"read": count + 362, "kept": count + 340, "truncated": 20, "dropped": 2},
            problems=["reviews.csv:17: the same text as line 3"],
        ),
        timing=Timing(train_seconds=192, tokens_per_second=5120, peak_memory_bytes=1_400_000_000),
        seeds=spread(seeds) if seeds else None,
        folds=spread(folds) if folds else None,
    )
    return measure(
        Classify(),
        list(labels),
        predictions=predictions,
        records=records,
        split=split,
        train=rows(300, seed=1, labels=labels),
        dev=rows(60, seed=2, labels=labels),
        spec=EvaluationSpec(resamples=300),
        show=ReportSpec(texts=texts),
        facts=facts,
    )
