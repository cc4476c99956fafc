"""What cannot work under the methods of our own is refused by recipe and model files alone, with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from tests.models.families import FAMILIES, folder, network
from weitiao.errors import Refused
from weitiao.methods import METHOD_OPTIONS, METHODS
from weitiao.models.families import attends_by_interface
from weitiao.models.reference import resolve
from weitiao.recipe import load_recipe
from weitiao.verbs.preparing.frame import frame, method_of

NO_BIASES = "the layers of the family '{family}' have no biases, and `method: bitfit` trains nothing else"
NO_PREFIX = (
    "`method: {method}` puts keys and values into the attention, which the family '{family}' does not take from "
    "transformers' attention interface; take adapter or lora"
)
REFUSED = {
    **{("bitfit", family): NO_BIASES for family in ("llama", "modernbert", "t5")},
    **{(name, family): NO_PREFIX for name in ("prefix", "p_tuning_v2") for family in ("bart", "deberta-v2", "t5")},
}


def messages(family: str, method: str | dict[str, Any], **model: Any) -> list[str]:
    """Findings of the method about a tiny model of the family."""
    recipe = load_recipe(
        {
            "task": "classify", "model": {"name": str(folder(family)), **model}, "data": "a.csv", "output": "a",
            "method": method,
        },
        frame(),
    )  # fmt: skip
    return [finding.message for finding in method_of(recipe).misfits(recipe, resolve(str(folder(family))))]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["adapter", "bitfit", "gradual", "p_tuning", "p_tuning_v2", "prefix", "prompt"])
def test_what_is_refused_and_nothing_else(name: str, family: str) -> None:
    """By `check` without torch, and again where the network is made."""
    expected = REFUSED.get((name, family))
    got = messages(family, {"name": name, "reduction": 8} if name == "adapter" else name)
    assert got == ([] if expected is None else [expected.format(method=name, family=family)])
    net, method = network(family), METHODS[name]
    if expected is None:
        method(METHOD_OPTIONS[name]()).apply(net, 10)
    else:
        with pytest.raises(Refused):
            method(METHOD_OPTIONS[name]()).apply(net, 10)


@pytest.mark.parametrize("name", ["adapter", "bitfit", "p_tuning", "p_tuning_v2", "prefix", "prompt"])
def test_layers_that_start_anew_would_not_learn(name: str) -> None:
    expected = f"`model.reinit_layers` starts layers anew, but `method: {name}` keeps them from learning"
    assert messages("bert", name, reinit_layers=1) == [expected]
    assert messages("bert", "gradual", reinit_layers=1) == []


def test_an_adapter_is_no_wider_than_nothing() -> None:
    assert messages("bert", {"name": "adapter", "reduction": 33}) == [
        "`method.reduction` is 33, but the model's hidden width is 32"
    ]


@pytest.mark.parametrize(("family", "depth", "limit"), [("bert", 2, "0.33"), ("albert", 1, "0.5"), ("bart", 4, "0.2")])
def test_gradual_unfreezing_reaches_the_embeddings(family: str, depth: int, limit: str) -> None:
    assert messages(family, {"name": "gradual", "every": 0.6}) == [
        f"`method.every` is 0.6, and with {depth} layers the embeddings would never learn; give less than {limit}"
    ]
    assert messages(family, {"name": "gradual", "every": 0.19}) == []


def test_the_attention_interface_is_told_by_source_text() -> None:
    assert attends_by_interface("xlm-roberta")
    assert not attends_by_interface("xlnet")
    assert attends_by_interface("of nobody's")  # left to the build
