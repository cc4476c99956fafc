"""What of the recipe's `training` does not go with a loss: findings that several tasks share."""

from __future__ import annotations

from collections.abc import Iterator

from weitiao.messages import _
from weitiao.recipe import Finding, TrainingSpec


def whole_steps(training: TrainingSpec, loss: str) -> Iterator[Finding]:
    """Of a loss that compares all rows of a step: it cannot be split, and no row has a loss of its own."""
    if training.token_budget is not None:
        message = _(
            "`training.token_budget` splits a step, and the loss '{loss}' compares all its rows with each other; "
            "remove it, and lower training.batch_size where memory is short"
        ).format(loss=loss)
        yield Finding("misfit", ("training", "token_budget"), message)
    if training.metric == "loss":
        message = _(
            "`training.metric: loss` needs a loss of each row, and '{loss}' compares the rows of a step with each "
            "other; name another metric"
        ).format(loss=loss)
        yield Finding("misfit", ("training", "metric"), message)
    if training.batch_size < 2:
        message = _(
            "the loss '{loss}' compares the rows of a step with each other; set training.batch_size above 1"
        ).format(loss=loss)
        yield Finding("misfit", ("training", "batch_size"), message)


def no_smoothing(training: TrainingSpec, task: str) -> Iterator[Finding]:
    """Label smoothing spreads a target over classes, and some tasks have none."""
    if training.label_smoothing:
        message = _(
            "`training.label_smoothing` works only with classes, and the task '{task}' has none; remove it"
        ).format(task=task)
        yield Finding("misfit", ("training", "label_smoothing"), message)
