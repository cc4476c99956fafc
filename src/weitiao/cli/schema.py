"""`weitiao schema`: the JSON schema of recipes."""

from __future__ import annotations

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json

ABOUT = N_("Print the JSON schema of recipes, for editors that complete and check YAML.")


def schema(json: Json = True) -> None:  # noqa: ARG001 - the schema is JSON either way
    """Print the schema."""
    from weitiao.verbs.schema import schema as recipe_schema

    print_json(recipe_schema())
