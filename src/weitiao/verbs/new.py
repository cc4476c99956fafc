"""`weitiao new`: a recipe to start from: a commented one for a task, or a ready one as the user's own."""

from __future__ import annotations

from pathlib import Path

from weitiao.artifact import write_text
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.recipe.ready import ready_recipes
from weitiao.tables import did_you_mean
from weitiao.tasks import TASKS
from weitiao.verbs.preparing.frame import reads_tokens
from weitiao.verbs.starting.commented import commented
from weitiao.verbs.starting.first_look import sources, starting_point
from weitiao.verbs.starting.ready import ready_text


def new(
    name: str, path: Path | str = "recipe.yaml", *, data: Path | str | None = None, model: Path | str | None = None
) -> Path:
    """Write a recipe.

    Args:
        name: a task, or a ready recipe.
        path: the file to write; the run is named after it.
        data: the source of labelled rows, which is looked at; an example name without it.
        model: the pretrained model; without it a starter for the language of the rows, or that of the ready recipe.

    Raises:
        Refused: the name is unknown, there is no such data, or the file is already there.
    """
    path = Path(path)
    text = recipe_text(name, path, data=str(data or ""), model=str(model or ""))
    if path.exists():
        raise Refused(_("{path}: already there and never overwritten; name another file").format(path=path))
    write_text(path, text)
    return path


def recipe_text(name: str, path: Path = Path("recipe.yaml"), *, data: str = "", model: str = "") -> str:
    """The text that `new` writes."""
    own = f"runs/{path.stem}" if path.stem != "recipe" else ""
    if name in TASKS:
        task = TASKS[name](TASKS[name].options_model())
        start = starting_point(task.fields, data, model, pools=task.pools, tokens=reads_tokens(task))
        return commented(name, start, own or "runs/run")
    if name in ready_recipes():
        if data:
            sources(data)  # refused here where there are none
        return ready_text(name, str(path), data=data, model=model, output=own)
    known = [*TASKS, *ready_recipes()]
    raise Refused(
        _("'{name}' is neither a task nor a ready recipe; expected one of: {names}{hint}").format(
            name=name, names=", ".join(known), hint=did_you_mean(name, known)
        )
    )
