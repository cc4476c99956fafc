"""The commented recipe of a task, made from the recipe's own models, so that the two cannot drift apart.

Prose stands behind `# `; a default stands behind `#` without a space, and counts once that `#` is removed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from weitiao.messages import _
from weitiao.recipe import DataSpec, ModelSpec, Recipe
from weitiao.verbs.preparing.frame import frame
from weitiao.verbs.starting.first_look import Start

INDENT = "  "
FIRST = ("task", "model", "data", "method")


def commented(task: str, start: Start, output: str) -> str:
    """Every key of a recipe for `task`: as `start` sets it, or its default commented out."""
    known = frame()
    methods, method = known.options["method"], known.defaults.get("method", "full")
    lines = [f"# {line}" for line in _opening()] + [""]
    lines += ["task:", f"{INDENT}name: {task}", *_settings(known.options["task"][task], "task", start), ""]
    lines += ["model:", *_settings(ModelSpec, "model", start), ""]
    lines += ["data:", *_settings(DataSpec, "data", start), ""]
    lines += ["method:", f"{INDENT}# {_('one of: {names}').format(names=', '.join(sorted(methods)))}"]
    lines += [f"{INDENT}name: {method}", *_settings(methods[method], "method", start), ""]
    lines += _rest(start, output)
    return "\n".join(lines).rstrip() + "\n"


def _opening() -> list[str]:
    return [
        _("A weitiao recipe. Remove the # before a key to change its default; check it with: weitiao check FILE"),
        _("Any key can also be given on the command line: weitiao train FILE training.epochs=5"),
    ]


def _rest(start: Start, output: str) -> Iterator[str]:
    """The other sections, then the single keys."""
    rest = {name: field for name, field in Recipe.model_fields.items() if name not in FIRST}
    for name, field in rest.items():
        section = _section(field)
        if section is not None:
            yield f"{name}:"
            yield from _settings(section, name, start)
            yield ""
    for name, field in rest.items():
        if _section(field) is None:
            yield from _setting(name, field, output if name == "output" else None)


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _settings(model: type[BaseModel], section: str, start: Start) -> Iterator[str]:
    """The keys of a section, indented."""
    given = start.given.get(section, {})
    for name, field in model.model_fields.items():
        for line in _setting(name, field, given.get(name), start.remarks.get(f"{section}.{name}", "")):
            yield INDENT + line


def _setting(name: str, field: FieldInfo, given: Any, remark: str = "") -> Iterator[str]:
    """The description of a key and the remark on it, then the key: as given, or its default commented out."""
    about = [_(field.description)] if field.description else []
    choices = _choices(field.annotation)
    if any(each not in (field.description or "") for each in choices):
        about.append(_("one of: {names}").format(names=", ".join(choices)))
    if about:
        yield f"# {'; '.join(about)}"
    if remark:
        yield f"# {remark}"
    if given is not None:
        yield f"{name}: {scalar(given)}"
    else:
        yield f"#{name}: {scalar(field.get_default(call_default_factory=True))}"


def _choices(annotation: Any) -> list[str]:
    """The words that a `Literal` allows, also inside `... | None`."""
    if get_origin(annotation) is Literal:
        return [str(each) for each in get_args(annotation)]
    found = [_choices(each) for each in get_args(annotation)]
    return next((each for each in found if each), [])


def scalar(value: Any) -> str:
    """`value` as YAML on one line; plain text stays without quotes where it reads back as itself."""
    if isinstance(value, str) and _reads_back(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _reads_back(text: str) -> bool:
    """Whether plain `text` is itself, in a line of its own and inside braces."""
    try:
        return all(YAML().load(io.StringIO(form)) == {"key": text} for form in (f"key: {text}\n", f"{{key: {text}}}\n"))
    except YAMLError:
        return False
