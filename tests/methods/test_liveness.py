"""The liveness matrix, methods x families: what learns moves, what is frozen stands still, what is kept answers.

A method that is added to METHODS needs a line in `CASES`, and lines in the tables below where it differs from others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from tests.models.families import FAMILIES, MEAN_ONLY, features, folder, network
from tests.training.fits import SETTINGS, StoppedError, run, same, weights
from weitiao.methods import METHOD_OPTIONS, METHODS
from weitiao.methods.base import Method
from weitiao.methods.options import MethodOptions
from weitiao.models.batch import collate
from weitiao.models.network import Network
from weitiao.models.reference import resolve
from weitiao.models.shape import shape_of
from weitiao.models.weights import parameters
from weitiao.recipe import load_recipe
from weitiao.verbs.preparing.frame import frame

CASES: dict[str, tuple[str, dict[str, Any]]] = {  # case -> method and its options
    "full": ("full", {}),
    "freeze": ("freeze", {"layers": 1}),
    "head": ("head", {}),
    "lora": ("lora", {"rank": 4, "dropout": 0.1}),
    "lora-attention": ("lora", {"rank": 4, "targets": "attention"}),
    "rslora": ("lora", {"rank": 4, "rslora": True, "targets": r"\.\d+\."}),
    "dora": ("lora", {"rank": 4, "dora": True}),
    "pissa": ("lora", {"rank": 4, "init": "pissa", "dropout": 0.1}),
    "lora-4bit": ("lora", {"rank": 4, "base_bits": 4}),
    "lora-8bit": ("lora", {"rank": 4, "base_bits": 8}),
    "dora-4bit": ("lora", {"rank": 4, "base_bits": 4, "dora": True}),
    "adalora": ("adalora", {"init_rank": 4, "target_rank": 2, "dropout": 0.1}),
    "ia3": ("ia3", {}),
    "bitfit": ("bitfit", {}),
    "gradual": ("gradual", {}),
    "houlsby": ("adapter", {"placement": "houlsby", "reduction": 4}),
    "pfeiffer": ("adapter", {"placement": "pfeiffer", "reduction": 4}),
    "prompt": ("prompt", {"count": 3}),
    "p_tuning": ("p_tuning", {"count": 3}),
    "p_tuning_v2": ("p_tuning_v2", {"count": 3}),
    "prefix": ("prefix", {"count": 3}),
}
QUANTISED = {"lora-4bit": 4, "lora-8bit": 8, "dora-4bit": 4}

# Cells that cannot be, and why `check` says so.
IMPOSSIBLE = {
    **{
        (case, "gpt2"): r"`method\.base_bits` cannot hold the layers of the family 'gpt2'; remove it"
        for case in QUANTISED
    },
    **{
        ("bitfit", family): rf"the layers of the family '{family}' have no biases"
        for family in ("llama", "modernbert", "t5")
    },
    **{
        (case, family): rf"puts keys and values into the attention, which the family '{family}' does not take"
        for case in ("p_tuning_v2", "prefix")
        for family in ("bart", "deberta-v2", "t5", "xlnet")
    },
    ("houlsby", "xlnet"): r"has no linear module for an adapter to stand behind; set method\.placement=pfeiffer",
    ("lora-attention", "xlnet"): r"`method\.targets` 'attention' matches no linear layer of this model; it has: ff\.",
}

# Cases that do not start as the base answers, which papers promise of the others.
STARTS_ELSEWHERE = frozenset({*QUANTISED, "prompt", "p_tuning", "p_tuning_v2", "prefix"})

STEPS = 5
ALL = (*FAMILIES, *MEAN_ONLY)
QUICK = ("bert", "gpt2")  # the others are slow by their number
VARIED = (*QUICK, "llama", "t5", "xlnet")  # see every case, the others the first one of each method
FIRST = {method: case for case, (method, _options) in reversed(CASES.items())}.values()


def cells(*cases: str) -> list[Any]:
    return [
        pytest.param(case, family, marks=[] if family in QUICK else [pytest.mark.slow], id=f"{case}-{family}")
        for case in cases
        for family in (ALL if case in FIRST else VARIED)
        if (case, family) not in IMPOSSIBLE
    ]


CELLS = cells(*CASES)

# A softmax does not see a constant, so the gradient of keys' biases is zero but for rounding.
KEY_BIASES = ("key.bias", "k_lin.bias", "k_proj.bias")
UNUSED = ("mask_emb",)  # XLNet's, of its pretraining


@dataclass(frozen=True)
class Cell:
    """What happened to one method on one family.

    Args:
        learns, moved: names of parameters that ever learn, and that changed.
        head: names of the head's.
        own, formula: numbers that learn beside the head and a pooler, counted and as the options tell.
        base, start, end, merged, adopted: logits, [B, C].
        plain: whether the finished network has the parameters of an untouched one.
    """

    learns: frozenset[str]
    moved: frozenset[str]
    own: int
    formula: int | None
    base: Tensor
    start: Tensor
    end: Tensor
    merged: Tensor
    adopted: Tensor | None
    plain: bool
    facts: Mapping[str, Any]


def kind_of(family: str) -> Literal["stock", "mean"]:
    return "mean" if family in (*MEAN_ONLY, "t5") else "stock"  # T5's encoder; BART has a decoder too


def options_of(case: str) -> MethodOptions:
    name, options = CASES[case]
    return METHOD_OPTIONS[name](**options)


def method_of(case: str) -> Method:
    made: Method = METHODS[CASES[case][0]](options_of(case))
    return made


def logits(net: Network, family: str) -> Tensor:
    net.eval()
    with torch.no_grad():
        return net.outputs(collate(features(family), net.spec.pad_id))["logits"].clone()


def trained(net: Network, method: Method, family: str) -> None:
    """A few steps as the loop makes them."""
    optimiser = torch.optim.Adam([each for each in net.parameters() if each.requires_grad], lr=1e-2)
    batch = collate(features(family), net.spec.pad_id)
    net.train()
    torch.manual_seed(0)
    for step in range(STEPS):
        method.before_step(net, step)
        loss = net.loss(batch)
        (loss.total / loss.weight).backward()  # type: ignore[no-untyped-call]
        method.add_penalty(net)
        optimiser.step()
        method.after_step(net, step)
        optimiser.zero_grad()


@cache
def cell(case: str, family: str) -> Cell:
    kind, method, options = kind_of(family), method_of(case), options_of(case)
    net = network(family, kind, dropout=0.1)
    base, names = logits(net, family), {name for name, _each in net.named_parameters()}
    method.apply(net, STEPS)
    start, before = logits(net, family), {name: each.detach().clone() for name, each in net.named_parameters()}
    learns = {name for name, each in net.named_parameters() if each.requires_grad}
    own = sum(before[name].numel() for name in learns - net.head_parameters() if ".pooler." not in name)
    trained(net, method, family)
    moved = {name for name, each in net.named_parameters() if not torch.equal(each, before[name])}
    end, facts = logits(net, family), method.facts(net)
    adopted = logits(taken_over(case, family, net, method), family) if options.portable else None
    method.finish(net)
    left = {name for name, _each in net.named_parameters()} - net.inserted
    config = json.loads((folder(family) / "config.json").read_text())
    shape = shape_of(config, parameters(folder(family)), decoder=kind == "stock")
    return Cell(
        frozenset(learns), frozenset(moved), own, options.learning(shape, packable=True).own, base, start, end,
        logits(net, family), adopted, left == names, facts,
    )  # fmt: skip


def taken_over(case: str, family: str, net: Network, method: Method) -> Network:
    """A fresh base, with another head, that took over what was learnt."""
    fresh, again = network(family, kind_of(family), seed=9, dropout=0.1), method_of(case)
    again.ready(fresh)
    again.adopt(fresh, {name: each.clone() for name, each in method.adapter(net).items()})
    return fresh


def test_every_method_has_a_case() -> None:
    in_steps = {name for name in METHODS if METHOD_OPTIONS[name].stepwise}  # the others have nothing to keep alive
    assert {method for method, _options in CASES.values()} == in_steps


@pytest.mark.parametrize(("case", "family"), CELLS)
def test_what_learns_moves_and_what_is_frozen_does_not(case: str, family: str) -> None:
    found = cell(case, family)
    cut = {f"backbone.{layer}.lora_E.default" for layer, rank in found.facts.get("ranks", {}).items() if not rank}
    assert not found.moved - found.learns
    assert not {name for name in found.learns - found.moved - cut if not name.endswith((*KEY_BIASES, *UNUSED))}


@pytest.mark.parametrize(("case", "family"), CELLS)
def test_training_starts_at_the_base(case: str, family: str) -> None:
    found = cell(case, family)
    difference = float((found.start - found.base).abs().max())
    assert difference < 1e-5 or case in STARTS_ELSEWHERE
    assert float((found.end - found.base).abs().max()) > 1e-3  # or all that follows would prove little


@pytest.mark.parametrize(("case", "family"), CELLS)
def test_finished_answers_as_trained(case: str, family: str) -> None:
    found = cell(case, family)
    assert found.plain
    assert float((found.merged - found.end).abs().max()) < 1e-5


@pytest.mark.parametrize(("case", "family"), CELLS)
def test_a_fresh_base_with_the_adapter_answers_as_trained(case: str, family: str) -> None:
    found = cell(case, family)
    if found.adopted is None:
        assert not options_of(case).portable
    else:
        assert float((found.adopted - found.end).abs().max()) < (1e-5 if case == "pissa" else 1e-6)


@pytest.mark.parametrize(("case", "family"), CELLS)
def test_as_many_numbers_learn_as_the_formula_says(case: str, family: str) -> None:
    found = cell(case, family)
    assert found.formula is None or found.own == found.formula


@pytest.mark.parametrize(("case", "family"), cells("adalora"))
def test_adalora_moved_its_ranks(case: str, family: str) -> None:
    ranks = cell(case, family).facts["ranks"].values()
    assert sum(ranks) == 2 * len(ranks)
    assert len(set(ranks)) > 1


@pytest.mark.parametrize("family", ALL)
def test_what_cannot_be_is_refused_with_the_reason_and_nothing_else_is(family: str) -> None:
    for case, (name, options) in CASES.items():
        chosen = {"task": "classify", "model": "x", "data": "a.csv", "output": "a", "method": {"name": name, **options}}
        recipe = load_recipe(chosen, frame())
        found = [each.message for each in options_of(case).misfits(recipe, resolve(str(folder(family))))]
        if (case, family) in IMPOSSIBLE:
            assert len(found) == 1
            with pytest.raises(ValueError, match=IMPOSSIBLE[case, family]):
                raise ValueError(found[0])
        else:
            assert not found, case


@pytest.mark.parametrize("case", CASES)
def test_killed_and_resumed_is_the_same_run(case: str, tmp_path: Path) -> None:
    changes = {"max_steps": 6, "checkpoint_every": 2, "evaluate_every": 4}
    straight, _result, _events = run(tmp_path / "straight", SETTINGS, dropout=0.1, method=method_of(case), **changes)
    with pytest.raises(StoppedError):
        run(tmp_path / "killed", SETTINGS, dropout=0.1, method=method_of(case), stop_after=3, **changes)
    method = method_of(case)
    resumed, result, events = run(tmp_path / "killed", SETTINGS, dropout=0.1, method=method, **changes)
    assert any("resumed at step 2" in event.get("text", "") for event in events) and result.steps == 6
    assert same(weights(straight), weights(resumed))


@pytest.mark.parametrize("limits", [{}, {"patience": 1}, {"stop_at": 0.9}], ids=str)
def test_adalora_keeps_no_model_from_before_its_last_cut(limits: dict[str, Any], tmp_path: Path) -> None:
    """Dev likes the first model best, whose ranks are whole."""
    scores = iter([0.9, 0.5, 0.4])
    method = method_of("adalora")
    made, result, events = run(tmp_path, method=method, evaluate=lambda _network: {"accuracy": next(scores)}, **limits)
    ranks = method.facts(made)["ranks"].values()
    assert sum(ranks) == 2 * len(ranks)
    assert result.best_step == 14  # of 21; the last cut is behind step 13
    assert not [event for event in events if "final form" in event.get("text", "")]


def test_adalora_that_ends_early_says_so(tmp_path: Path) -> None:
    method = method_of("adalora")
    made, result, events = run(tmp_path, method=method, max_minutes=0.0, evaluate=lambda _network: {"accuracy": 0.5})
    assert (result.stopped, result.best_step) == ("max_minutes", 1)
    assert set(method.facts(made)["ranks"].values()) == {4}
    assert [event["text"] for event in events if event["kind"] == "note"] == [
        "step 1: training ended before the method had come to its final form; train longer"
    ]
