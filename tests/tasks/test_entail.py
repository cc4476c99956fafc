"""Entail: the contract over several Features a record, the odds of the pretrained class, what cannot be asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ValidationError

import weitiao
from tests.tasks.contract import TaskContract
from weitiao.models.families import entailment
from weitiao.models.tiny import INFERENCE, tiny
from weitiao.records import ClassifyPrediction, ClassifyRecord, Feature, Outputs
from weitiao.tasks.entail import Entail, EntailOptions

DESCRIPTIONS = {"NEG": "something bad", "POS": "something good"}


class TestEntail(TaskContract):
    """The contract; each record has a Feature a label."""

    task = Entail()
    train = (
        {"text": "good film", "label": "POS"},
        {"text": "the service was bad and the film was long, long, long", "label": "NEG"},
        {"text": "bad", "label": "NEG"},
        {"text": "not bad \x00 🙂", "label": "POS"},
    )
    dev = ({"text": "a film", "label": "POS"}, {"text": "a film", "label": "NEUTRAL"})
    target_dtypes: ClassVar = {"score": np.float32}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        return {"logits": np.float32(8 * feature.targets["score"].astype(np.float32) - 4)}

    def answered(self, record: ClassifyRecord, prediction: ClassifyPrediction) -> ClassifyRecord:
        return record.model_copy(update={"labels": prediction.labels})


@pytest.mark.parametrize(
    ("names", "index"),
    [
        ({0: "contradiction", 1: "entailment"}, 1),
        ({"2": "ENTAILMENT", "1": "NEUTRAL"}, 2),
        ({0: "LABEL_0", 1: "LABEL_1"}, None),
        ({0: "entailment", 1: "entails"}, None),
    ],
)
def test_the_class_is_told_by_its_name(names: dict[Any, str], index: int | None) -> None:
    assert entailment(names) == index


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": "about it"}, "got 'about it'; expected a text with {description} in it"),
        ({"descriptions": {"POS": "good"}}, "give a description of each of at least two labels"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EntailOptions(**options)
    assert message in str(caught.value)


def recipe(folder: Path, speaks: Any) -> dict[str, Any]:
    rows = [f'"{text}, {number}",{label}' for number in range(6) for text, label in (("good", "POS"), ("bad", "NEG"))]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    return {
        "task": {"name": "entail", "descriptions": DESCRIPTIONS}, "method": "zero_shot",
        "model": str(tiny("bert", folder / "tiny", speaks=speaks)), "data": {"test": str(folder / "rows.csv")},
        "evaluation": {"resamples": 100}, "output": str(folder / "run"),
    }  # fmt: skip


def test_a_model_of_something_else_is_refused(tmp_path: Path) -> None:
    (problem,) = [each for each in weitiao.check(recipe(tmp_path, "")).problems if each.severity == "error"]
    assert problem.code == "no-entailment"
    assert problem.message.startswith("the task 'entail' asks a model of natural-language inference, and none of this")


def test_without_training_it_answers_what_the_model_says(tmp_path: Path) -> None:
    """As transformers' own class of the saved folder: a softmax over the labels of the odds of entailment."""
    import torch
    import transformers

    run = weitiao.train(recipe(tmp_path, "entails"))
    (answer,) = run.predict(["a good film"])
    folder = str(run.path / "model")
    model, loading = transformers.AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert not loading["missing_keys"] and not loading["unexpected_keys"]
    assert tuple(model.config.id2label.values()) == INFERENCE
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    odds = []
    for description in DESCRIPTIONS.values():
        inputs = tokenizer("a good film", f"This text is about {description}.", return_tensors="pt")
        with torch.inference_mode():
            logits = model(**inputs).logits[0]
        odds.append(float(logits[2] - logits[:2].logsumexp(-1)))
    assert answer.scores["POS"] == pytest.approx(float(torch.tensor(odds).softmax(-1)[1]), abs=1e-5)
