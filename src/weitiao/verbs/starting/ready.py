"""A ready recipe as the user's own: its text with every comment, and what was asked for in place of its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from weitiao.recipe.ready import RECIPES
from weitiao.recipe.specs import share_of
from weitiao.verbs.starting.commented import scalar
from weitiao.verbs.starting.first_look import SHARES, one_line

Keys = tuple[str, ...]


def ready_text(name: str, file: str, *, data: str = "", model: str = "", output: str = "") -> str:
    """The text of a ready recipe.

    Args:
        file: what the recipe will be called; its comments then say so.
        data: the source of labelled rows, of which dev and test are shares.
        model: the pretrained model.
        output: folder of the run.
    """
    text = (RECIPES / f"{name}.yaml").read_text("utf-8").replace(f"{name}.yaml", one_line(file))
    tree = YAML().load(text)
    wanted: dict[Keys, str] = {("output",): output} if output else {}
    if model:
        wanted[("model", "name") if isinstance(tree["model"], Mapping) else ("model",)] = model
    if data:
        wanted |= _sources(tree["data"], data)
    return _with_values(text, tree, wanted)


def _sources(own: Mapping[str, Any], data: str) -> dict[Keys, str]:
    """The recipe's sources: one that holds training rows, and shares of it."""
    wanted: dict[Keys, str] = {("data", "file" if "file" in own else "train"): data}
    for split, share in SHARES.items():
        if split in own and share_of(own[split]) is None:
            wanted["data", split] = share
    return wanted


def _with_values(text: str, tree: Any, wanted: Mapping[Keys, str]) -> str:
    """`text` with other values at these keys; the last first, so that the places of those before it stay true."""
    lines = text.splitlines()
    for keys in sorted(wanted, key=lambda keys: _place(tree, keys), reverse=True):
        line, column = _place(tree, keys)
        lines[line] = _replaced(lines[line], column, str(_at(tree, keys)), scalar(wanted[keys]))
    return "\n".join(lines) + "\n"


def _at(tree: Any, keys: Keys) -> Any:
    for key in keys:
        tree = tree[key]
    return tree


def _place(tree: Any, keys: Keys) -> tuple[int, int]:
    """(line, column) of a value, both from 0."""
    line, column = _at(tree, keys[:-1]).lc.value(keys[-1])
    return int(line), int(column)


def _replaced(line: str, column: int, old: str, new: str) -> str:
    """The line with `new` instead of `old`; a comment behind it stays where it is while there is room."""
    before, after = line[:column], line[column + len(old) :]
    comment = after.lstrip()
    if comment.startswith("#"):
        after = " " * max(len(old) - len(new) + len(after) - len(comment), 1) + comment
    return before + new + after
