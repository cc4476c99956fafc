"""The recipe as it took effect: what a run keeps as recipe.yaml, enough to repeat it from any folder."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

from weitiao.data.sources import HUB
from weitiao.models.reference import PREFIXES
from weitiao.recipe import Recipe, Source, TrainingSpec
from weitiao.recipe.specs import share_of
from weitiao.verbs.preparing.encoding import SHORTEST
from weitiao.verbs.preparing.frame import method_of, of_no_use
from weitiao.verbs.preparing.preflight import Preflight, own_head_rate, own_rate


def resolved(found: Preflight, memory: Container[str] = ()) -> Recipe:
    """The recipe with defaults that are found out written down, and with absolute paths.

    Args:
        found: of the recipe.
        memory: keys of `data` that rows in Python stand in for.
    """
    recipe = anchored(found.recipe, memory)
    training: dict[str, Any] = {}
    if method_of(recipe).stepwise:
        training["learning_rate"] = learning_rate(found)
        training["head_learning_rate"] = head_learning_rate(found)
    else:
        training |= {name: TrainingSpec.model_fields[name].default for name in of_no_use(method_of(recipe))}
    if found.max_length >= SHORTEST:
        training["max_length"] = found.max_length
    if found.dataset is not None and "dev" in found.dataset.records:
        training["metric"] = found.metric
    changed = {
        "method": recipe.method.model_copy(update={"options": method_of(recipe)}),
        "training": recipe.training.model_copy(update=training),
    }
    return recipe.model_copy(update=changed)


def anchored(recipe: Recipe, memory: Container[str] = ()) -> Recipe:
    """The recipe with absolute paths, that means the same in any folder.

    Args:
        memory: keys of `data` that rows in Python stand in for.
    """
    data: dict[str, Any] = {
        key: absolute(getattr(recipe.data, key))
        for key in ("file", "train", "dev", "test")
        if key not in memory and key in recipe.data.model_fields_set
    }
    if recipe.data.train is not None:  # with `file`, a written share would stand against dev rows of the file's own
        data.setdefault("dev", recipe.data.dev)
    return recipe.model_copy(
        update={
            "data": recipe.data.model_copy(update=data),
            "model": recipe.model.model_copy(update={"name": _model(recipe.model.name)}),
        }
    )


def learning_rate(found: Preflight) -> float:
    """The peak learning rate: the recipe's, else the method's for this model and this kind of head."""
    return found.recipe.training.learning_rate or own_rate(found)


def head_learning_rate(found: Preflight) -> float | None:
    """That of the new head: the recipe's, else its own; None where it goes by `learning_rate`."""
    return found.recipe.training.head_learning_rate or own_head_rate(found)


def absolute(source: Source | None) -> Source | None:
    """Files with their whole path; shares and hub ids as they are."""
    if source is None or share_of(source) is not None:
        return source
    if isinstance(source, list):
        return [_file(each) for each in source]
    return _file(source)


def _file(word: str) -> str:
    return word if word.startswith(HUB) else str(Path(word).expanduser().absolute())


def _model(name: str) -> str:
    prefix, colon, _rest = name.partition(":")
    return name if colon and prefix in PREFIXES else str(Path(name).expanduser().absolute())
