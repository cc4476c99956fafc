"""The recipe: what the user wrote, validated whole.

YAML 1.2 or a mapping goes in, with dotted `key=value` overrides; a frozen `Recipe` comes out, or every mistake at once
with its line. `specs` is what a recipe may say, `source` reads it with its lines, `sentences` words the mistakes,
`loading` puts them together, `schema` writes it down again. Each task and method names its own options model; the
tables that know them are passed in as a `Frame`, so that this package imports none of them.
"""

from weitiao.recipe.loading import Draft, Frame, load_draft, load_recipe
from weitiao.recipe.schema import dump_recipe, recipe_schema, recipe_tree
from weitiao.recipe.sentences import Finding, shown
from weitiao.recipe.source import quoted
from weitiao.recipe.specs import (
    SPLITS,
    Choice,
    DataSpec,
    EvaluationSpec,
    ModelSpec,
    Options,
    Recipe,
    ReportSpec,
    Source,
    TrackingSpec,
    TrainingSpec,
)

__all__ = [
    "SPLITS",
    "Choice",
    "DataSpec",
    "Draft",
    "EvaluationSpec",
    "Finding",
    "Frame",
    "ModelSpec",
    "Options",
    "Recipe",
    "ReportSpec",
    "Source",
    "TrackingSpec",
    "TrainingSpec",
    "dump_recipe",
    "load_draft",
    "load_recipe",
    "quoted",
    "recipe_schema",
    "recipe_tree",
    "shown",
]
