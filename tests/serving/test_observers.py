"""Who is told of answered requests: together where they can be, apart where one of them is at fault."""

from __future__ import annotations

from collections.abc import Sequence

from weitiao.records import ClassifyPrediction, ClassifyRecord, Prediction, Record
from weitiao.serving.observers import WAITING, Observers


class Seen:
    """An observer that fails on the text `bad`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    def __call__(self, model: str, records: Sequence[Record], predictions: Sequence[Prediction]) -> None:
        assert len(records) == len(predictions)
        texts = [str(getattr(each, "text", "")) for each in records]
        if "bad" in texts:
            raise RuntimeError
        self.calls.append((model, texts))


def tell(observers: Observers, model: str, *texts: str) -> None:
    answer = ClassifyPrediction(labels=("a",), confidence=1.0, scores={})
    records = [ClassifyRecord(file="", line=0, group="", text=each, text_pair=None, labels=None) for each in texts]
    observers.tell(model, records, [answer] * len(texts))


def test_requests_of_some_moments_are_told_together_each_model_apart() -> None:
    seen = Seen()
    observers = Observers([seen])
    for number in range(6):
        tell(observers, "ab"[number % 2], f"{number}", f"{number}!")
    observers.settle()
    told = {model: [text for name, texts in seen.calls if name == model for text in texts] for model in "ab"}
    assert told == {"a": ["0", "0!", "2", "2!", "4", "4!"], "b": ["1", "1!", "3", "3!", "5", "5!"]}
    assert len(seen.calls) < 6 and (observers.unobserved, observers.faults) == (0, 0)


def test_a_fault_costs_the_request_that_it_is_about_and_no_other() -> None:
    seen, other = Seen(), Seen()
    observers = Observers([seen, other])
    for text in ("one", "bad", "two"):
        tell(observers, "m", text)
    observers.settle()
    for each in (seen, other):
        assert sorted(text for _model, texts in each.calls for text in texts) == ["one", "two"]
    assert observers.faults == 2, "one an observer"


def test_what_nobody_can_keep_up_with_is_counted() -> None:
    observers = Observers([Seen()])
    for _each in range(3 * WAITING):
        tell(observers, "m", "text")
    assert observers.unobserved > 0
    observers.settle()
