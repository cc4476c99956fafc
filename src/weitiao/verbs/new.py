"""`weitiao new`: a commented recipe, made from the recipe's own models, so that the two cannot drift apart.

Prose stands behind `# `; a default stands behind `#` without a space, and counts once that `#` is removed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from weitiao.artifact import write_text
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.recipe import DataSpec, ModelSpec, Recipe
from weitiao.tables import did_you_mean
from weitiao.verbs.frame import frame

MODEL = "starter:zh-en"
DATA = "reviews.csv"
INDENT = "  "


def new(task: str, path: Path | str = "recipe.yaml", *, data: str | None = None) -> Path:
    """Write a commented recipe for `task`.

    Args:
        data: the source of labelled rows; an example name without it.

    Raises:
        Refused: the task is unknown, or the file is already there.
    """
    path = Path(path)
    text = recipe_text(task, data=data, path=path)
    if path.exists():
        raise Refused(_("{path}: already there and never overwritten; name another file").format(path=path))
    write_text(path, text)
    return path


def recipe_text(task: str, *, data: str | None = None, path: Path | None = None) -> str:
    """The text of a commented recipe; `path`, where it will stand, names the run."""
    known = frame()
    tasks, methods = known.options["task"], known.options["method"]
    if task not in tasks:
        raise Refused(
            _("unknown {kind} '{name}'; expected one of: {names}{hint}").format(
                kind="task", name=task, names=", ".join(sorted(tasks)), hint=did_you_mean(task, tasks)
            )
        )
    method = known.defaults.get("method", "full")
    lines = [f"# {line}" for line in _opening()] + [""]
    lines += ["task:", f"{INDENT}name: {task}", *_settings(tasks[task], {}, INDENT), ""]
    lines += ["model:", *_settings(ModelSpec, {"name": MODEL}, INDENT), ""]
    lines += ["data:", *_settings(DataSpec, {"file": data or DATA}, INDENT), ""]
    lines += ["method:", f"{INDENT}# {_('one of: {names}').format(names=', '.join(sorted(methods)))}"]
    lines += [f"{INDENT}name: {method}", *_settings(methods[method], {}, INDENT), ""]
    lines += _sections({"output": f"runs/{_run_name(path)}"})
    return "\n".join(lines).rstrip() + "\n"


def _opening() -> list[str]:
    return [
        _("A weitiao recipe. Remove the # before a key to change its default; check it with: weitiao check FILE"),
        _("Any key can also be given on the command line: weitiao train FILE training.epochs=5"),
    ]


def _run_name(path: Path | None) -> str:
    """A run is named after its recipe."""
    return path.stem if path is not None and path.stem != "recipe" else "run"


def _sections(given: Mapping[str, Any]) -> Iterator[str]:
    """What follows task, model, data and method: the other sections, then the single keys."""
    done = {"task", "model", "data", "method"}
    for name, field in Recipe.model_fields.items():
        section = _section(field)
        if name not in done and section is not None:
            yield f"{name}:"
            yield from _settings(section, {}, INDENT)
            yield ""
    for name, field in Recipe.model_fields.items():
        if name not in done and _section(field) is None:
            yield from _setting(name, field, given.get(name), "")


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _settings(model: type[BaseModel], given: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield from _setting(name, field, given.get(name), indent)


def _setting(name: str, field: FieldInfo, given: Any, indent: str) -> Iterator[str]:
    """The description of a key, then the key: as given, or its default commented out."""
    about = [_(field.description)] if field.description else []
    choices = _choices(field.annotation)
    if any(each not in (field.description or "") for each in choices):
        about.append(_("one of: {names}").format(names=", ".join(choices)))
    if about:
        yield f"{indent}# {'; '.join(about)}"
    if given is not None:
        yield f"{indent}{name}: {_yaml(given)}"
    else:
        yield f"{indent}#{name}: {_yaml(field.get_default(call_default_factory=True))}"


def _choices(annotation: Any) -> list[str]:
    """The words that a `Literal` allows, also inside `... | None`."""
    if get_origin(annotation) is Literal:
        return [str(each) for each in get_args(annotation)]
    found = [_choices(each) for each in get_args(annotation)]
    return next((each for each in found if each), [])


def _yaml(value: Any) -> str:
    """`value` on one line; plain text stays without quotes where it reads back as itself."""
    if isinstance(value, str) and _reads_back(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _reads_back(text: str) -> bool:
    try:
        return bool(YAML().load(io.StringIO(f"key: {text}\n")) == {"key": text})
    except YAMLError:
        return False
