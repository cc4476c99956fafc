"""What learns under each method of our own, as many parameters as its formula says, and how it is kept and resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.families import LABELS, features, folder, network
from tests.training.fits import StoppedError, run, same, weights
from weitiao.errors import Refused
from weitiao.methods import METHOD_OPTIONS, METHODS, adapters
from weitiao.methods.base import Method
from weitiao.models.additions.virtual_tokens import find_embedding
from weitiao.models.batch import collate
from weitiao.models.inference import infer
from weitiao.models.network import Network, load
from weitiao.models.shape import Shape, shape_of
from weitiao.models.weights import parameters
from weitiao.text import load_tokenizer
from weitiao.verbs.planning.cost import trained_parameters

# Options that differ from the defaults where that changes what is put in.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "bitfit": ("bitfit", {}),
    "gradual": ("gradual", {}),
    "adapter": ("adapter", {"reduction": 4}),
    "houlsby": ("adapter", {"placement": "houlsby", "reduction": 8, "nonlinearity": "tanh"}),
    "prompt": ("prompt", {"count": 4}),
    "p_tuning": ("p_tuning", {"count": 4, "width": 6}),
    "lstm": ("p_tuning", {"count": 4, "width": 6, "encoder": "lstm"}),
    "p_tuning_v2": ("p_tuning_v2", {"count": 4}),
    "prefix": ("prefix", {"count": 4, "width": 6}),
}
INSERTED = [name for name in CASES if name not in ("bitfit", "gradual")]


def method(case: str) -> Method:
    name, options = CASES[case]
    made: Method = METHODS[name](METHOD_OPTIONS[name](**options))
    return made


def shape(family: str) -> Shape:
    config = json.loads((folder(family) / "config.json").read_text("utf-8"))
    return shape_of(config, parameters(folder(family)))


def trained(net: Network, steps: int = 3) -> Network:
    optimiser = torch.optim.SGD([value for value in net.parameters() if value.requires_grad], lr=1.0)
    batch = collate(features("bert"), net.spec.pad_id)
    net.train()
    for _step in range(steps):
        net.zero_grad()
        loss = net.loss(batch)
        (loss.total / loss.weight).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return net.eval()


@pytest.mark.parametrize("family", ["bert", "gpt2", "llama", "albert", "t5"])
@pytest.mark.parametrize("case", [case for case in CASES if case != "gradual"])
def test_the_plan_counts_what_learns(case: str, family: str) -> None:
    net = network(family)
    try:
        method(case).apply(net, 10)
    except Refused:  # which cells these are is tested with the refusals
        return
    name, options = CASES[case]
    learning = METHOD_OPTIONS[name](**options).learning(shape(family), packable=False)
    learns = {
        each: value.numel()
        for each, value in net.named_parameters()
        if value.requires_grad and ".pooler." not in each  # there or not as the head wants; the plan leaves it out
    }
    head = sum(count for each, count in learns.items() if each in net.head_parameters())
    assert sum(learns.values()) - head == learning.own
    if family == "bert":
        assert sum(learns.values()) == trained_parameters(shape(family), learning, len(LABELS))


def test_of_the_base_bitfit_moves_the_biases_alone() -> None:
    net = network("bert")
    method("bitfit").apply(net, 1)
    before = weights(net)
    after = weights(trained(net))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    new = net.head_parameters()
    assert {name for name in moved if name not in new} == {
        name for name in before if name.endswith(".bias") and name not in new and not name.endswith("key.bias")
    } | {name for name in moved if name.endswith("key.bias")}  # a softmax does not see them: rounding alone


@pytest.mark.parametrize("case", INSERTED)
def test_what_is_put_in_and_the_head_move_and_nothing_else(case: str) -> None:
    net = network("bert")
    method(case).apply(net, 1)
    before = weights(net)
    after = weights(trained(net))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == net.head_parameters() | net.inserted


@pytest.mark.parametrize("case", ["bitfit", *INSERTED])
def test_saved_alone_it_makes_a_fresh_base_the_same_model(case: str, tmp_path: Path) -> None:
    net = network("bert")
    applied = method(case)
    applied.apply(net, 1)
    trained(net)
    name, options = CASES[case]
    card = {"method": {"name": name, **options}, "labels": LABELS, "network": {"head": "classify", "kind": "stock"}}
    adapters.save(applied.adapter(net), card, adapters.Base.of("tiny", folder("bert")), tmp_path / "adapter")
    again = adapters.load(tmp_path / "adapter", folder("bert"))
    assert_same_answers(net, again)


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
@pytest.mark.parametrize("case", ["houlsby", "prompt", "lstm", "prefix"])
def test_a_saved_model_has_what_was_put_in(case: str, family: str, tmp_path: Path) -> None:
    if family == "t5" and case == "prefix":
        return
    net = network(family, "mean")
    method(case).apply(net, 1)
    with torch.no_grad():
        for name in sorted(net.inserted):
            net.get_parameter(name).add_(0.1)
    net.save(tmp_path)
    saved = {"head": "classify", "kind": "mean", "additions": list(net.spec.additions)}
    (tmp_path / "task.json").write_text(json.dumps({"labels": LABELS, "network": saved}), "utf-8")
    assert_same_answers(net, load(tmp_path), family)


def assert_same_answers(net: Network, again: Network, family: str = "bert") -> None:
    rows = features(family, 5)
    for first, second in zip(infer(net, rows), infer(again, rows), strict=True):
        np.testing.assert_allclose(first["logits"], second["logits"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("stop_after", [4, 9])
@pytest.mark.parametrize("case", ["gradual", "adapter", "lstm", "prefix"])
def test_killed_and_resumed_it_ends_the_same(case: str, stop_after: int, tmp_path: Path) -> None:
    settings = {"dropout": 0.2, "epochs": 2, "checkpoint_every": 3}
    straight, _result, _events = run(tmp_path / "a", method=method(case), **settings)
    with pytest.raises(StoppedError):
        run(tmp_path / "b", method=method(case), stop_after=stop_after, **settings)
    resumed, _result, _events = run(tmp_path / "b", method=method(case), **settings)
    assert same(weights(straight), weights(resumed))


def test_a_prompt_may_start_from_words() -> None:
    net = network("bert")
    METHODS["prompt"](METHOD_OPTIONS["prompt"](count=40, text="good film")).apply(net, 1)
    ids = load_tokenizer(folder("bert")).backend.encode("good film", add_special_tokens=False).ids
    embedding, _rows_first = find_embedding(net)
    (virtual,) = net.virtual
    assert 1 < len(ids) < 20
    assert torch.equal(virtual.vectors(), embedding(torch.tensor(ids * 40)[:40]))
    with pytest.raises(Refused, match=r"`method\.text` has no token for the virtual tokens to start from"):
        METHODS["prompt"](METHOD_OPTIONS["prompt"](text="  ")).apply(network("bert"), 1)


@pytest.mark.parametrize(("family", "place"), [("bert", 1), ("roberta", 1), ("llama", 1), ("gpt2", 0), ("t5", 0)])
def test_virtual_tokens_stand_behind_the_token_that_opens_a_text(family: str, place: int) -> None:
    net = network(family, "mean")
    method("prompt").apply(net, 1)
    assert net.spec.additions == [{"name": "virtual_tokens", "count": 4, "place": place}]


@pytest.mark.parametrize("family", ["llama", "modernbert", "t5"])
def test_bitfit_is_refused_where_layers_have_no_bias(family: str) -> None:
    with pytest.raises(Refused, match=f"the layers of the family '{family}' have no biases, and `method: bitfit`"):
        method("bitfit").apply(network(family), 1)
