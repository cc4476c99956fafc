"""What a recipe with `model.continues` goes on with: the labels of a run's `model/` folder. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.recipe import Recipe
from weitiao.serving.cards import TASK_FILE, TaskCard


def continued(recipe: Recipe) -> Sequence[str]:
    """The labels that the recipe's model knows.

    Raises:
        Refused: it is no saved model of a run, or of another task.
    """
    path = Path(recipe.model.name).expanduser() / TASK_FILE
    if not path.is_file():
        message = _("`model.continues` goes on with the head of a run; {name} is no model/ folder of one")
        raise Refused(message.format(name=recipe.model.name))
    card = TaskCard.read(path)
    if card.task_name != recipe.task.name:
        message = _("`model.continues`: {name} answers the task {theirs}, and the recipe is of the task {ours}")
        raise Refused(message.format(name=recipe.model.name, theirs=card.task_name, ours=recipe.task.name))
    return card.labels
