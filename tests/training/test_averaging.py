"""The running average of the weights: what it is, that it is what is measured and kept, and that it resumes exactly."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.models.families import features
from tests.training.fits import StoppedError, accuracy, run, same, weights
from weitiao.models.network import Network
from weitiao.training import checkpoint
from weitiao.training.averaging import decay_at


def test_the_decay_begins_low() -> None:
    assert [decay_at(step, 0.5) for step in (0, 1, 8, 100)] == [1 / 10, 2 / 11, 0.5, 0.5]


def test_it_is_the_sum_of_the_weights_after_each_step(tmp_path: Path) -> None:
    """Weights after each step come from plain runs of one step more each: the average must not touch training."""
    shape = {"rows": features("bert", 24, longest=6), "epochs": 1, "schedule": "constant", "warmup": 0.0}
    after = [weights(run(tmp_path / str(steps), max_steps=steps, **shape)[0]) for steps in (1, 2, 3)]
    averaged = weights(run(tmp_path / "ema", ema=0.15, max_steps=3, **shape)[0])
    start = weights(run(tmp_path / "start", max_steps=1, **(shape | {"schedule": "linear", "warmup": 1.0}))[0])
    for name, value in averaged.items():
        expected = start[name]
        for step, each in enumerate(after):
            expected = (
                torch.lerp(expected, each[name], 1 - decay_at(step, 0.15))
                if each[name].is_floating_point()
                else each[name]
            )
        torch.testing.assert_close(value, expected)


def test_dev_and_the_model_see_the_average_and_training_does_not(tmp_path: Path) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def evaluate(network: Network) -> dict[str, float]:
        seen.append(weights(network))
        return {"accuracy": 1.0 - 0.1 * len(seen)}

    plain, _result, _events = run(tmp_path / "plain")
    averaged, result, _events = run(tmp_path / "ema", ema=0.99, evaluate=evaluate)
    assert result.best_step == 7
    assert same(weights(averaged), seen[0])
    kept, _state = checkpoint.load(checkpoint.at_step(tmp_path / "ema/checkpoints", 21))
    straight = weights(plain)
    assert all(torch.equal(straight[name], value) for name, value in kept["weights"].items())
    assert not same(weights(plain), seen[-1])


@pytest.mark.parametrize("stop_after", [2, 9, 20])
def test_a_killed_run_resumes_bit_identical(stop_after: int, tmp_path: Path) -> None:
    rows = features("bert", 52, longest=12)

    def evaluate(network: Network) -> dict[str, float]:
        return {"accuracy": accuracy(network, rows)}

    straight, result, _events = run(tmp_path / "a", dropout=0.2, evaluate=evaluate, checkpoint_every=3, ema=0.9)
    with pytest.raises(StoppedError):
        run(tmp_path / "b", dropout=0.2, evaluate=evaluate, checkpoint_every=3, ema=0.9, stop_after=stop_after)
    resumed, again, _events = run(tmp_path / "b", dropout=0.2, evaluate=evaluate, checkpoint_every=3, ema=0.9)
    assert same(weights(straight), weights(resumed))
    assert result.history == again.history


def test_without_it_a_checkpoint_has_no_such_file(tmp_path: Path) -> None:
    run(tmp_path / "plain", epochs=1)
    run(tmp_path / "ema", epochs=1, ema=0.9)
    assert not list((tmp_path / "plain/checkpoints").rglob("average.safetensors"))
    assert len(list((tmp_path / "ema/checkpoints").rglob("average.safetensors"))) == 1
