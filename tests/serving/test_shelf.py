"""Several adapters on one base: what is shared, what is each one's own, merged and back, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import weitiao
from weitiao.errors import Refused
from weitiao.methods import METHOD_OPTIONS, METHODS, adapters
from weitiao.models.network import NetworkSpec, build
from weitiao.models.tiny import tiny
from weitiao.serving.predictor import Predictor
from weitiao.serving.shelf import Adapters, load_together
from weitiao.tasks import TASKS
from weitiao.verbs.adapters import entries, merge

TEXTS = ["fine", "a long text about a lazy dog", "很好"]
CARDS: dict[str, dict[str, Any]] = {
    "reviews": {"task": "classify", "head": "classify", "kind": "stock", "labels": ["neg", "pos"], "fields": ["text"]},
    "people": {"task": "tag", "head": "tag", "kind": "stock", "labels": ["PER"], "fields": ["text"]},
    "similar": {
        "task": "regress",
        "head": "score",
        "kind": "mean",
        "labels": ["mean=0.0", "sd=1.0"],
        "fields": ["text"],
    },
}


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> str:
    """A method that folds, under its name."""
    monkeypatch.setitem(METHODS._entries, "shift", "tests.methods.shift:Shift")
    monkeypatch.setitem(METHOD_OPTIONS._entries, "shift", "tests.methods.shift:ShiftOptions")  # type: ignore[attr-defined]
    return "shift"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tiny("bert", tmp_path / "base")


def adapter(base: Path, name: str, method: str = "freeze", *, seed: int = 1, **options: Any) -> Path:
    """RUN/adapter as a run of this method would leave it, with weights from a seed in place of learnt ones."""
    card = CARDS[name]
    spec = NetworkSpec(head=card["head"], kind=card["kind"], labels=list(TASKS[card["task"]]().classes(card["labels"])))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(base, spec)
        made = METHODS[method](METHOD_OPTIONS[method](**options))
        made.apply(network, 1)
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.05 * torch.randn_like(parameter))
    saved = {
        "task": card["task"], "options": {}, "labels": card["labels"], "settings": {}, "max_length": 32, "name": name,
        "network": {"head": spec.head, "kind": spec.kind, "labels": spec.labels}, "fields": card["fields"],
        "method": {"name": method, **options},
    }  # fmt: skip
    folder = base.parent / "runs" / name / "adapter"
    adapters.save(made.adapter(network), saved, adapters.Base.of(str(base), base), folder)
    return folder


def places(predictor: Predictor) -> dict[int, int]:
    """Address -> bytes of each parameter."""
    return {each.data_ptr(): each.numel() * each.element_size() for each in predictor.network.parameters()}


def logits(predictor: Predictor) -> list[np.ndarray]:
    return [each["logits"] for own in predictor.outputs(predictor.records(TEXTS)) for each in own]


def test_the_base_is_in_memory_once_and_every_task_answers_as_alone(base: Path, shift: str) -> None:
    folders = [adapter(base, "reviews", layers=1), adapter(base, "people", shift), adapter(base, "similar", "head")]
    shelf = Adapters(base)
    shelf.add(folders[0])
    shelf.add(folders[1].parent)  # the run
    shelf.add(folders[2], name="alike")
    assert shelf.names() == list(shelf) == ["reviews", "people", "alike"]
    for folder, name in zip(folders, shelf, strict=True):
        for alone, here in zip(logits(Predictor.load(folder)), logits(shelf[name]), strict=True):
            np.testing.assert_array_equal(alone, here)
    reviews, people, alike = (places(shelf[name]) for name in shelf)
    embeddings = shelf["reviews"].network.backbone.get_input_embeddings().weight
    assert all(embeddings.data_ptr() in each for each in (reviews, people, alike))
    second = [each.data_ptr() for each in shelf["people"].network.stack.layers[1].parameters() if each.dim() > 1]
    assert not set(second) & reviews.keys()  # the first task brought its own upper layer
    assert set(second) <= alike.keys()
    own = set(load_file(folders[2] / "adapter.safetensors"))
    network = shelf["alike"].network
    assert {each.data_ptr() for name, each in network.named_parameters() if name not in own} <= people.keys()
    assert not {network.get_parameter(name).data_ptr() for name in own} & (people.keys() | reviews.keys())


def test_merged_answers_the_same_from_copies_of_what_it_touches_and_goes_back_to_the_bit(
    base: Path, shift: str
) -> None:
    shelf = Adapters(base)
    shelf.add(adapter(base, "reviews", shift))
    other = shelf.add(adapter(base, "people", shift, seed=2))
    before, kept = logits(shelf["reviews"]), logits(other)
    merged = shelf.merge("reviews")
    assert shelf["reviews"] is merged is shelf.merge("reviews")
    np.testing.assert_allclose(np.concatenate(logits(merged)), np.concatenate(before), atol=1e-5)
    names = {name for name, _each in merged.network.named_parameters()}
    assert not [name for name in names if "shift" in name]
    own = places(merged).keys() - places(other).keys()
    first = merged.network.stack.layers[0]
    touched = {each.weight.data_ptr() for each in first.modules() if isinstance(each, torch.nn.Linear)}
    assert touched <= own
    assert len(places(merged).keys() & places(other).keys()) > len(own)
    shelf.unmerge("reviews")
    for a, b in zip([*before, *kept], [*logits(shelf["reviews"]), *logits(shelf["people"])], strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_cannot_be_on_the_shelf_is_refused(base: Path) -> None:
    folder = adapter(base, "reviews")
    shelf = Adapters(base)
    shelf.add(folder)
    with pytest.raises(Refused, match=r"there is an adapter named 'reviews' already; give this one another name"):
        shelf.add(folder)
    with pytest.raises(Refused, match=r"no adapter 'review' here; there are: reviews; did you mean 'reviews'\?"):
        shelf["review"]
    with pytest.raises(Refused, match=r"'reviews': the method freeze adds nothing that could be folded into"):
        shelf.merge("reviews")
    with pytest.raises(Refused, match=r"base: no adapter; expected an `adapter` folder of a run, or the run"):
        shelf.add(base)
    other = tiny("bert", base.parent / "other", seed=5)
    with pytest.raises(Refused, match=r"the adapter was trained on .*base, and .*other has other weights; give that"):
        Adapters(other).add(folder)
    shelf.remove("reviews")
    assert "reviews" not in shelf
    assert len(shelf) == 0
    shelf.add(folder)


def test_an_adapter_alone_is_a_predictor_on_the_base_that_it_names_or_another_place_of_it(base: Path) -> None:
    folder = adapter(base, "reviews")
    expected = weitiao.load(folder).predict(TEXTS)
    moved = base.rename(base.with_name("moved"))
    with pytest.raises(Refused, match=r"adapter: its base cannot be had \(model .*no such folder.*name it with --base"):
        weitiao.load(folder)
    assert weitiao.load(folder, base=moved).predict(TEXTS) == expected
    assert weitiao.predict(folder, TEXTS, base=str(moved)) == expected


def test_adapters_that_are_served_together_share_their_base(base: Path, made_run: Path) -> None:
    first, second = adapter(base, "reviews"), adapter(base, "people", "head")
    found = load_together([first, made_run, second])
    assert [each.name for each in found] == ["reviews", "reviews", "people"]
    shared = places(found[0]).keys() & places(found[2]).keys()
    assert found[0].network.backbone.get_input_embeddings().weight.data_ptr() in shared
    assert not places(found[0]).keys() & places(found[1]).keys()


def test_adapters_of_a_folder_are_listed(base: Path) -> None:
    adapter(base, "reviews", layers=1)
    adapter(base, "people", "head")
    found = entries([base.parent / "runs"])
    assert [(each.name, each.task, each.method, each.labels) for each in found] == [
        ("people", "tag", "head", 1), ("reviews", "classify", "freeze", 2),
    ]  # fmt: skip
    assert found[0].base == str(base)
    assert 0 < found[0].bytes < found[1].bytes
    assert entries([base.parent / "runs" / "people", base.parent / "runs"]) == found
    with pytest.raises(Refused, match="no adapter in it; expected an adapter, a run, or a folder of runs"):
        entries([base])


@pytest.mark.parametrize("method", ["freeze", "shift"])
def test_a_merged_adapter_is_an_ordinary_model(method: str, base: Path, shift: str) -> None:
    folder = adapter(base, "people", method)
    target = merge(folder.parent, base.parent / "people-model")
    card = json.loads((target / "task.json").read_text("utf-8"))
    assert {"method", "base"} & card.keys() == set()
    np.testing.assert_allclose(
        np.concatenate(logits(Predictor.load(target))), np.concatenate(logits(Predictor.load(folder))), atol=1e-5
    )
    with pytest.raises(Refused, match="is already there and is never overwritten; name a new folder"):
        merge(folder, target)
