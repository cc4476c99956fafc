"""A run of a method with a frozen base leaves an ordinary model, and an adapter that goes on that base and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.verbs.trained import recipe

import weitiao
from weitiao.errors import Failed, Refused
from weitiao.methods import adapters
from weitiao.models.tiny import tiny
from weitiao.models.weights import parameters
from weitiao.verbs.fitting.keeping import verify

FILES = {"adapter.json", "adapter.safetensors", "adapter_config.json", "adapter_model.safetensors"}


@pytest.mark.parametrize(
    "method",
    [{"name": "lora", "init": "pissa"}, {"name": "lora", "base_bits": 4}, {"name": "adalora"}, {"name": "ia3"}],
    ids=["pissa", "4bit", "adalora", "ia3"],
)
def test_a_run_keeps_an_ordinary_model_and_an_adapter(method: dict[str, Any], tmp_path: Path) -> None:
    training = {"epochs": 1, "batch_size": 32, "learning_rate": 3e-3}
    run = weitiao.train(recipe(tmp_path, method=method, training=training))
    base = parameters(tmp_path / "tiny")
    inside = {name.removeprefix("bert."): shape for name, shape in parameters(run.path / "model").items()}
    assert {name: shape for name, shape in inside.items() if not name.startswith("classifier.")} == base
    assert {path.name for path in (run.path / "adapter").iterdir()} == FILES
    assert adapters.load(run.path / "adapter", tmp_path / "tiny").spec.labels == ["neg", "pos"]
    other = tiny("bert", tmp_path / "other", seed=5)
    with pytest.raises(Refused, match=r"adapter: the adapter was trained on .*tiny, and .*other has other weights"):
        adapters.load(run.path / "adapter", other)


def test_answers_that_are_no_numbers_are_no_difference_of_the_saved_model() -> None:
    good, broken = {"logits": np.zeros(2)}, {"logits": np.array([0.0, np.nan])}
    verify([good], [good], Path("model"))
    with pytest.raises(
        Failed, match=r"^model: the model's answers are not numbers \(NaN\).* lower training.learning_rate"
    ):
        verify([good, broken], [good, broken], Path("model"))
    with pytest.raises(Failed, match=r"^model: the saved model answers differently .* this is a bug in weitiao$"):
        verify([good, good], [good, broken], Path("model"))
