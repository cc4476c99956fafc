"""A recipe written down again: the resolved YAML of a run, and the JSON schema of all recipes."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML

from weitiao.recipe.loading import Frame
from weitiao.recipe.specs import Recipe


def recipe_tree(recipe: Recipe) -> dict[str, Any]:
    """The recipe as the mapping that `load_recipe` reads back to an equal recipe."""
    tree = recipe.model_dump(mode="json")
    if "dev" not in recipe.data.model_fields_set:  # written down it would read as a wish, against a file's own dev rows
        del tree["data"]["dev"]
    for node, key in ((tree, "task"), (tree, "method"), (tree["training"], "objective")):
        choice = node[key]
        node[key] = choice and {"name": choice["name"], **choice["options"]}
    return tree


def dump_recipe(recipe: Recipe) -> str:
    """The same as YAML."""
    stream = io.StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.width = 120
    writer.dump(recipe_tree(recipe), stream)
    return stream.getvalue()


def recipe_schema(frame: Frame) -> dict[str, Any]:
    """The JSON schema of a recipe (draft 2020-12), with the options of each task, method and objective."""
    schema = Recipe.model_json_schema()
    for kind, table in frame.options.items():
        *section, key = kind.split(".")
        properties = _section(schema, section[0])["properties"] if section else schema["properties"]
        variants: list[dict[str, Any]] = [{"type": "string", "enum": sorted(table)}]
        for name, model in sorted(table.items()):
            options = model.model_json_schema()
            schema.setdefault("$defs", {}).update(options.pop("$defs", {}))
            options["properties"] = {"name": {"const": name}, **options.get("properties", {})}
            options["required"] = ["name", *options.get("required", [])]
            variants.append(options)
        if section:
            variants.append({"type": "null"})
        properties[key] = {"description": properties[key].get("description"), "anyOf": variants}
    schema["$defs"].pop("Choice", None)
    _add_short_form(schema, "model", "ModelSpec", {"type": "string"})
    _add_short_form(schema, "data", "DataSpec", {"type": ["string", "array"], "items": {"type": "string"}})
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["required"] = [name for name in schema["required"] if name not in frame.defaults]
    return schema


def _section(schema: dict[str, Any], key: str) -> dict[str, Any]:
    """The schema of a section, which is a model of its own."""
    annotation = Recipe.model_fields[key].annotation
    section: dict[str, Any] = schema["$defs"][annotation.__name__] if annotation else {}
    return section


def _add_short_form(schema: dict[str, Any], key: str, inner: str, short: dict[str, Any]) -> None:
    """`model: NAME` beside `model: {name: NAME, ...}`."""
    described = Recipe.model_fields[key].description
    schema["properties"][key] = {"description": described, "anyOf": [short, {"$ref": f"#/$defs/{inner}"}]}
