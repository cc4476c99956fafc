"""A family whose own head reads padding is refused under that head; under ours padding changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tests.models.families import features, folder, lively, network

from weitiao.models.inference import infer
from weitiao.models.reference import resolve
from weitiao.recipe import load_recipe
from weitiao.records import Outputs
from weitiao.verbs.preparing.frame import frame, task_of
from weitiao.verbs.preparing.model_checks import model_misfits


def worst(first: Sequence[Outputs], second: Sequence[Outputs]) -> float:
    return max(float(np.abs(a["logits"] - b["logits"]).max()) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(("head", "same"), [("stock", False), ("mean", True)])
def test_a_head_that_reads_padding_is_refused(head: str, same: bool) -> None:
    net, rows = lively(network("xlnet", head)).eval(), features("xlnet")  # type: ignore[arg-type]
    alone = [answer for row in rows for answer in infer(net, [row])]
    assert (worst(infer(net, rows), alone) < 1e-5) is same
    recipe = load_recipe(
        {"task": "classify", "model": {"name": "x", "head": head}, "data": "a.csv", "output": "a"}, frame()
    )
    found = list(model_misfits(recipe, task_of(recipe), resolve(str(folder("xlnet"))), None))
    assert [each.keys for each in found] == ([] if same else [("model", "head")])
    assert same or found[0].message.endswith("where shorter texts have padding; set model.head=mean")
