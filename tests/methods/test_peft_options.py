"""Options of LoRA, AdaLoRA and IA3: what cannot work is told with the reason, before torch is imported."""

from __future__ import annotations

from typing import Any

import pytest

from tests.models.families import folder, network
from weitiao.errors import ProblemsFound, Refused
from weitiao.methods import METHODS
from weitiao.methods.peft_options import AdaLoraOptions
from weitiao.methods.targets import chosen, keys_and_values, narrowing, parts, stored
from weitiao.models.reference import resolve
from weitiao.models.weights import parameters
from weitiao.recipe import Recipe, load_recipe
from weitiao.verbs.preparing.frame import frame, method_of

TOO_SMALL = "but the smallest side of the chosen layers is 32"
REFUSALS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"name": "lora", "rank": 40}, {}, f"`method.rank` is 40, {TOO_SMALL}"),
    ({"name": "adalora", "init_rank": 40}, {}, f"`method.init_rank` is 40, {TOO_SMALL}"),
    (
        {"name": "lora", "targets": "qurey"},
        {},
        "`method.targets` 'qurey' matches no linear layer of this model; it has: attention.output.dense, "
        "attention.self.key, attention.self.query, attention.self.value, intermediate.dense, output.dense; "
        "did you mean 'query'?",
    ),
    (
        {"name": "lora", "dora": True, "init": "pissa"},
        {},
        "`method.init: pissa` changes the base, whose lengths `method.dora` learns; choose one",
    ),
    (
        {"name": "lora", "base_bits": 4, "init": "pissa"},
        {},
        "`method.init: pissa` takes a base apart that `method.base_bits` rounds; choose one",
    ),
    ({"name": "lora", "base_bits": 8, "dora": True}, {}, "`method.dora` works with `base_bits: 4`, not with 8"),
    (
        {"name": "adalora", "init_rank": 8, "target_rank": 8},
        {},
        "`method.init_rank` is 8; it must be above `method.target_rank`, 8, to be cut to it",
    ),
    (
        {"name": "adalora", "tinit": 0.5, "tfinal": 0.7},
        {},
        "`method.tinit` and `method.tfinal` together are 1.2 of the steps; below 1 leaves some to cut",
    ),
    (
        {"name": "adalora"},
        {"training": {"max_steps": 1}},
        "`method: adalora` cuts ranks between steps, and `training.max_steps` is 1; take lora",
    ),
    (
        {"name": "adalora"},
        {"training": {"ema": 0.99}},
        "`training.ema` averages directions back in that `method: adalora` has cut; remove it, or take lora",
    ),
    (
        {"name": "ia3"},
        {"model": {"name": "x", "reinit_layers": 1}},
        "`model.reinit_layers` starts layers anew, but `method: ia3` keeps them from learning",
    ),
    (
        {"name": "lora"},
        {"training": {"l2_sp": 0.1}},
        "`training.l2_sp` holds weights near the pretrained ones, which `method: lora` does not move; "
        "use `training.weight_decay`",
    ),
]


def recipe_of(method: dict[str, Any], **sections: Any) -> Recipe:
    whole = {"task": "classify", "model": "x", "data": "a.csv", "output": "a", "method": method, **sections}
    return load_recipe(whole, frame())


@pytest.mark.parametrize(("method", "sections", "message"), REFUSALS)
def test_what_cannot_work_is_refused(method: dict[str, Any], sections: dict[str, Any], message: str) -> None:
    recipe = recipe_of(method, **sections)
    found = [each.message for each in method_of(recipe).misfits(recipe, resolve(str(folder("bert"))))]
    assert found == [message]


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ProblemsFound, match=r"'\(' is not a regular expression \(missing \), unterminated subpattern"):
        recipe_of({"name": "lora", "targets": "("})


def test_bits_without_bitsandbytes_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weitiao.methods.peft_options.find_spec", lambda _name: None)
    recipe = recipe_of({"name": "lora", "base_bits": 4})
    found = [each.message for each in method_of(recipe).misfits(recipe, resolve(str(folder("bert"))))]
    assert found == ["`method.base_bits` needs bitsandbytes; install it with: pip install 'weitiao[quantized]'"]


def test_one_step_is_too_short_for_adalora() -> None:
    with pytest.raises(Refused, match="`method: adalora` cuts ranks between steps, and there is 1; train longer"):
        METHODS["adalora"](AdaLoraOptions()).apply(network("bert"), 1)


KINDS = {  # family -> linear layers in attention, those of keys and values, those that lead back to the model's width
    "bert": (4, ["attention.self.key", "attention.self.value"], ["output.dense"]),
    "distilbert": (4, ["attention.k_lin", "attention.v_lin"], ["ffn.lin2"]),
    "gpt2": (2, ["attn.c_attn"], ["mlp.c_proj"]),
    "llama": (4, ["self_attn.k_proj", "self_attn.v_proj"], ["mlp.down_proj"]),
    "modernbert": (2, ["attn.Wqkv"], ["mlp.Wo"]),
    "deberta-v2": (4, ["attention.self.key_proj", "attention.self.value_proj"], ["output.dense"]),
    "xlnet": (0, [], ["ff.layer_2"]),
}


@pytest.mark.parametrize("family", KINDS)
def test_layers_are_told_by_name_and_shape(family: str) -> None:
    layers = stored(parameters(folder(family)))
    attention, keys, back = KINDS[family]
    assert len(parts(chosen(layers, "attention"))) == attention
    assert parts(keys_and_values(layers)) == keys
    assert parts(narrowing(layers)) == back
