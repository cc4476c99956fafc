"""Writes the pages that are made from the code: recipe.md from the recipe's models, tables.md from the tables, and
steps.md from the options of the steps of compression.

    make docs

A test compares the files with what this makes, so a key that changes changes its page in the same commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from weitiao.compression import STEP_OPTIONS
from weitiao.messages import language
from weitiao.methods.options import NARROW, MethodOptions
from weitiao.recipe import Recipe
from weitiao.verbs.listing import KINDS, entries, use_of
from weitiao.verbs.preparing.frame import frame

HERE = Path(__file__).parent
MADE = "<!-- Made by docs/build.py (`make docs`); do not edit. -->"
RECIPE = f"""\
{MADE}

# The recipe

A recipe is a YAML 1.2 file (`2e-5` is a number, `no` is text). `weitiao new` writes one to start from:

```sh
weitiao new classify my.yaml --data reviews.csv
weitiao new classify-zh my.yaml --data reviews.csv
```

Of a task, it looks at the rows and writes every key, set for these rows or with its default commented out. Of a ready
recipe (`weitiao list recipes`), it writes the text with its comments and your file in it; `check` and `train` take the
file, not the name. `--model` names the model in both.

An unknown key is refused with the one that was probably meant. Any key can be changed on the command line by its dotted
name: `weitiao train my.yaml training.epochs=5 data.test=20%`. The run keeps a copy with every default written out. The
command `weitiao schema` prints this page as a JSON schema, for editors.

Only `task`, `model` and `data` are needed. `model: NAME` is short for `model: {{name: NAME}}`, `data: FILE` for
`data: {{file: FILE}}`, and `task`, `method` and `training.objective` are a name, or a mapping with `name` and the
options below.
"""
TABLES = f"""\
{MADE}

# What there is to choose from

The same tables as `weitiao list`. Packages of your own add to them by entry points; see CONTRIBUTING.md.
"""
STEPS = f"""\
{MADE}

# Steps of compression

What `weitiao compress RUN STEP...` takes, with the options of each: `NAME:KEY=VALUE,KEY=VALUE`. How steps are compared
with their source is in [compressing.md](compressing.md).
"""
BOUNDS = {
    "exclusiveMinimum": "above {}", "minimum": "at least {}", "exclusiveMaximum": "below {}", "maximum": "at most {}",
}  # fmt: skip
WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """File name -> text."""
    with language("en"):
        return {"recipe.md": recipe_page(), "tables.md": tables_page(), "steps.md": steps_page()}


def recipe_page() -> str:
    """Every key of a recipe, by section."""
    known, parts = frame(), [RECIPE]
    for name, field in Recipe.model_fields.items():
        if name in known.options:
            parts += _choices(name, field.description or "", known.options[name])
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            parts += _section(f"`{name}`", field.annotation)
            for nested in (each for each in known.options if each.startswith(f"{name}.")):
                inner = field.annotation.model_fields[nested.partition(".")[2]]
                parts += _choices(nested, inner.description or "", known.options[nested])
    single = {name for name, field in Recipe.model_fields.items() if _is_plain(field.annotation)}
    parts += ["## The run itself", "", *_keys(Recipe, single), ""]
    return "\n".join(parts)


def _is_plain(annotation: Any) -> bool:
    return not (isinstance(annotation, type) and issubclass(annotation, BaseModel))


def _choices(kind: str, about: str, table: Mapping[str, type[BaseModel]]) -> Iterator[str]:
    """A key that names an entry of a table, with the options of each."""
    yield from (f"## `{kind}`", "", f"{about[:1].upper()}{about[1:]}.", "")
    lines = {entry.name: entry.about for entry in entries(f"{kind.rpartition('.')[2]}s")}
    for name, options in table.items():
        yield from (f"### `{kind}: {name}`", "", lines[name], "")
        if issubclass(options, MethodOptions):
            yield from (_rate(options), "")
        if options.model_fields:
            yield from (*_keys(options), "")


def _rate(options: type[MethodOptions]) -> str:
    words = f"Learning rate where the recipe gives none: {options.learning_rate:g}"
    if options.moves:
        narrow = (options().rate(NARROW, tokens=tokens) for tokens in (False, True))
        words += "; in models of at most {} numbers a token {:g}, under a head over tokens {:g}".format(NARROW, *narrow)
    return f"{words}."


def _section(title: str, model: type[BaseModel]) -> Iterator[str]:
    yield from (f"## {title}", "", (model.__doc__ or "").strip(), "", *_keys(model), "")


def _keys(model: type[BaseModel], only: set[str] | None = None) -> Iterator[str]:
    """A Markdown table with one line a key."""
    schema = model.model_json_schema()
    needed = schema.get("required", [])
    yield "| key | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, each in schema["properties"].items():
        if only is None or name in only:
            default = "needed" if name in needed else f"`{json.dumps(each.get('default'), ensure_ascii=False)}`"
            default = "`{}`" if default == "`null`" and each.get("type") == "object" else default
            yield _row((f"`{name}`", kind(each), default, each.get("description", "")))


def kind(schema: Schema) -> str:
    """What a key takes, in words: `whole number, above 0, or null`."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(each) for each in schema["anyOf"]))
    if schema.get("$ref", "").endswith("/Choice"):
        return "a name, or a mapping"
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "null":
        return "null"
    if schema.get("type") == "array":
        return _listed(schema)
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"mapping to {kind(inner)}" if isinstance(inner, dict) else "mapping"
    bounds = [words.format(f"{schema[key]:,}") for key, words in BOUNDS.items() if key in schema]
    return WORDS[schema["type"]] + (f" ({', '.join(bounds)})" if bounds else "")


def _listed(schema: Schema) -> str:
    if "prefixItems" in schema:
        return "list of " + " and ".join(kind(each) for each in schema["prefixItems"])
    return f"list of {kind(schema['items'])}"


def steps_page() -> str:
    """Every step of compression, with its options."""
    parts = [STEPS]
    for entry in entries("steps"):
        options = STEP_OPTIONS[entry.name]
        promise = f"Exact: no output differs from its source's by more than {options.bound:g}." if options.exact else ""
        works = f"Works on a model in {' or '.join(sorted(options.takes))}, leaves one in {options.gives}."
        parts += [f"## `{entry.name}`", "", entry.about, "", f"{works} {promise}".strip(), ""]
        parts += [*_keys(options), ""] if options.model_fields else []
    return "\n".join(parts)


def tables_page() -> str:
    """Every table of `weitiao list`."""
    parts = [TABLES]
    for name in KINDS:
        rows = [_row((f"`{entry.name}`", entry.about)) for entry in entries(name)]
        parts += [f"## {name.capitalize()}", "", "| name | what it is |", "| --- | --- |", *rows, ""]
        parts += [use_of(name), ""] if use_of(name) else []
    return "\n".join(parts)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (HERE / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
