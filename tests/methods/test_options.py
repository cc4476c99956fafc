"""Methods of other packages: known to recipes, without torch, by two entry points."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from weitiao.methods import METHOD_OPTIONS, METHODS
from weitiao.methods.options import MethodOptions

OPTIONS = """
from typing import ClassVar
from weitiao.methods.options import MethodOptions

class BiasOptions(MethodOptions):
    '''Only biases learn.'''

    learning_rate: ClassVar[float] = 1e-3
    norms: bool = False
"""
METHOD = """
import torch

class Bias:
    cache = None

    def __init__(self, options):
        self.options = options
"""
ENTRIES = """
[weitiao.methods]
bias = outside_method:Bias

[weitiao.method_options]
bias = outside_options:BiasOptions
"""
USE = """
import sys
from weitiao.recipe import load_recipe
from weitiao.verbs.preparing.frame import frame
from weitiao.methods import METHODS, METHOD_OPTIONS

recipe = load_recipe(
    {"task": "classify", "model": "zh-en", "data": "a.csv", "output": "a", "method": {"name": "bias", "norms": True}},
    frame(),
)
assert recipe.method.options.norms and type(recipe.method.options).learning_rate == 1e-3
assert set(METHODS) == set(METHOD_OPTIONS) and "bias" in METHODS
assert not {"torch", "transformers", "outside_method"} & set(sys.modules)
assert METHODS["bias"](recipe.method.options).options.norms
"""


def test_every_method_has_options_with_a_learning_rate() -> None:
    assert set(METHODS) == set(METHOD_OPTIONS)
    for name, options in METHOD_OPTIONS.items():
        assert issubclass(options, MethodOptions) and 0 < options.learning_rate < 0.1, name


def test_a_method_of_another_package_is_known_to_recipes(tmp_path: Path) -> None:
    """An installed package is its modules and a dist-info folder; this is one."""
    about = tmp_path / "outside-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "outside_options.py").write_text(OPTIONS)
    (tmp_path / "outside_method.py").write_text(METHOD)
    done = subprocess.run(
        [sys.executable, "-c", USE], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
