"""What a config tells of a model's layers is what the opened network has, in every family."""

from __future__ import annotations

import json

import pytest

from tests.models.families import FAMILIES, folder, network
from weitiao.methods.freeze import Freeze
from weitiao.methods.options import FreezeOptions
from weitiao.models.shape import Shape, shape_of, stack_depth_of
from weitiao.models.weights import parameters
from weitiao.recipe import load_recipe
from weitiao.verbs.preparing.frame import frame


def shape(family: str) -> Shape:
    config = json.loads((folder(family) / "config.json").read_text())
    return shape_of(config, parameters(folder(family)))


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_counted_as_the_network_has_them(family: str) -> None:
    net = network(family)
    config = net.backbone.config.to_dict()
    assert stack_depth_of(config) == shape(family).stack == len(net.stack)
    depth = 2 if family == "albert" else sum(len(stack) for stack in net.stacks)
    assert shape(family).depth == depth
    assert shape(family).repeats == (2 if family == "albert" else 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_plan_freezes_what_the_method_freezes(family: str) -> None:
    recipe = load_recipe(
        {"task": "classify", "model": "x", "data": "a.csv", "output": "a", "method": {"name": "freeze"}}, frame()
    )
    net = network(family)
    Freeze(FreezeOptions()).apply(net, 1)
    found = shape(family)
    assert recipe.method.options.learning(found, packable=True).frozen == net.frozen_below * found.repeats
