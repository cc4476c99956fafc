"""The torch steps one behind the other on a trained run, through the verb, with its comparison and its gate."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.verbs.trained import recipe

import weitiao
from weitiao.errors import ProblemsFound
from weitiao.serving.predictor import load
from weitiao.verbs.compress import compress


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weitiao.train(recipe(tmp_path_factory.mktemp("data"))).path


@pytest.mark.slow
def test_steps_compose_and_the_artifact_answers(run: Path, tmp_path: Path) -> None:
    steps = ["vocabulary:characters=seen", "prune:ffn=0.5", "distil:layers=1,epochs=4,learning_rate=0.003", "bits"]
    made = compress(run, steps, output=tmp_path / "small", accept=True, texts=["good film", "poor room 服务"])
    assert [each.name for each in made.steps] == ["vocabulary", "prune", "distil", "bits"]
    assert made.bytes_after < 0.7 * made.bytes_before
    facts = {each.name: each.facts for each in made.steps}
    assert facts["distil"]["texts"] == 2 and facts["prune"]["removed"]["ffn"] == 32
    assert facts["vocabulary"]["pieces"] < facts["vocabulary"]["pieces_before"]
    asked = ["good film", "poor room"]
    before, after = load(run).predict(asked), load(made.path).predict(asked)
    assert [each.labels for each in before] == [each.labels for each in after] == [("pos",), ("neg",)]


def test_no_step_takes_rounded_weights(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ProblemsFound) as refused:
        compress(run, ["bits", "prune:layers=1"], output=tmp_path / "small")
    assert "prune: works on a model in torch, but bits leaves one in rounded; put it before bits" in str(refused.value)
    assert not (tmp_path / "small").exists()
