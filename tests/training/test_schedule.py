"""Schedules against transformers' own, step by step."""

import pytest
import torch
from transformers import get_scheduler

from weitiao.training.schedule import Name, factor, warmup_steps

THEIRS = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup", "inverse_sqrt": "inverse_sqrt"}
NO_SCALE = ("inverse_sqrt", 0)  # here transformers puts in a time scale of 10,000 steps; the paper has none


@pytest.mark.parametrize(
    ("name", "warmup"), [(name, warmup) for name in THEIRS for warmup in (0, 1, 7) if (name, warmup) != NO_SCALE]
)
def test_factors_equal_those_of_transformers(name: Name, warmup: int) -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = get_scheduler(THEIRS[name], optimiser, num_warmup_steps=warmup, num_training_steps=30)
    for step in range(30):
        assert factor(name, step, warmup, 30) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12)
        optimiser.step()
        scheduler.step()


def test_polynomial_falls_with_its_power() -> None:
    assert factor("polynomial", 15, 0, 30, power=3.0) == pytest.approx(0.125)
    assert factor("polynomial", 15, 0, 30, power=1.0) == factor("linear", 15, 0, 30)


def test_warmup_is_a_share_below_one_and_a_count_from_one() -> None:
    assert (warmup_steps(0.1, 95), warmup_steps(20, 95), warmup_steps(0, 95)) == (10, 20, 0)
