"""A saved model's weights in a network with more classes: old logits stay, new classes start new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.families import features, folder, lively
from weitiao.errors import Refused
from weitiao.models.batch import collate
from weitiao.models.growing import carry_over
from weitiao.models.network import Network, NetworkSpec, build
from weitiao.tasks import TASKS
from weitiao.tasks.labels import extended
from weitiao.text import load_tokenizer
from weitiao.verbs.fitting.keeping import save_model

OLD = ["b", "a"]  # not in their natural order: places are kept, whatever it is


def made(task: str, labels: list[str], kind: Any = "stock", base: Path | None = None, **options: Any) -> Network:
    own = TASKS[task](TASKS[task].options_model(**options))
    spec = NetworkSpec(own.head, kind, list(own.classes(labels)), options=dict(own.head_options()), dropout=0.0)
    torch.manual_seed(len(labels))
    return build(base or folder("bert"), spec)


def saved(network: Network, target: Path, task: str, labels: list[str]) -> Path:
    spec = network.spec
    card = {
        "task": task, "labels": labels, "max_length": 32,
        "network": {"head": spec.head, "kind": spec.kind, "labels": list(spec.labels), "options": dict(spec.options)},
    }  # fmt: skip
    save_model(network, card, target, base=folder("bert"), tokenizer=load_tokenizer(folder("bert")))
    return target


def logits(network: Network) -> torch.Tensor:
    batch = collate(features("bert", 5, longest=9), 0)
    with torch.no_grad():
        return network.eval().outputs(batch)["logits"]


@pytest.mark.parametrize("kind", ["stock", "mean"])
@pytest.mark.parametrize("new", [[], ["c"], ["0", "c", "d"]])
def test_old_logits_stay_and_new_classes_stand_behind(tmp_path: Path, kind: Any, new: list[str]) -> None:
    before = lively(made("classify", OLD, kind))
    model = saved(before, tmp_path / "model", "classify", OLD)
    labels = extended(OLD, sorted([*OLD, *new]))
    assert labels == [*OLD, *new]
    after = made("classify", labels, kind, model)
    fresh = {name: value.clone() for name, value in after.state_dict().items()}
    carry_over(after, model)
    torch.testing.assert_close(logits(after)[:, :2], logits(before))
    grown = [name for name, value in after.state_dict().items() if value.shape != before.state_dict()[name].shape]
    assert bool(grown) == bool(new)
    for name in grown:
        assert torch.equal(after.state_dict()[name][2:], fresh[name][2:])


def test_a_crf_keeps_its_transitions_and_its_border(tmp_path: Path) -> None:
    before = lively(made("tag", OLD, crf=True))
    after = made("tag", [*OLD, "c"], base=saved(before, tmp_path / "model", "tag", OLD), crf=True)
    carry_over(after, tmp_path / "model")
    old, new = (each.state_dict()["head.crf.transitions"] for each in (before, after))
    assert (len(old), len(new)) == (6, 8)
    assert torch.equal(new[:5, :5], old[:5, :5])
    assert torch.equal(new[7, :5], old[5, :5]) and torch.equal(new[:5, 7], old[:5, 5]) and new[7, 7] == old[5, 5]
    torch.testing.assert_close(logits(after)[..., :5], logits(before))


def test_both_ends_of_spans_keep_their_labels(tmp_path: Path) -> None:
    before = lively(made("span", OLD, "mean"))
    after = made("span", [*OLD, "c"], "mean", saved(before, tmp_path / "model", "span", OLD))
    carry_over(after, tmp_path / "model")
    old, new = (each.state_dict()["head.pointer.labels.weight"] for each in (before, after))
    assert torch.equal(new[[0, 1, 3, 4]], old)  # first units of a, b, c and then last units


def test_intents_and_slots_grow_by_themselves(tmp_path: Path) -> None:
    old_names, new_names = ["intent:go", "slot:city"], ["intent:go", "slot:city", "intent:stay", "slot:day"]
    before = lively(made("intent_slot", old_names, "mean"))
    after = made("intent_slot", new_names, "mean", saved(before, tmp_path / "model", "intent_slot", old_names))
    carry_over(after, tmp_path / "model")
    for name in ("head.intents.weight", "head.tags.weight"):
        old, new = before.state_dict()[name], after.state_dict()[name]
        assert len(new) > len(old) and torch.equal(new[: len(old)], old)


def test_what_the_saved_model_lacks_is_refused(tmp_path: Path) -> None:
    model = saved(made("classify", OLD), tmp_path / "model", "classify", OLD)
    with pytest.raises(Refused, match=r"has no '.*' to go on with; keep the head"):
        carry_over(made("classify", OLD, "mean", model), model)


def test_the_generator_stays_where_it_is(tmp_path: Path) -> None:
    model = saved(made("classify", OLD), tmp_path / "model", "classify", OLD)
    after = made("classify", OLD, base=model)
    torch.manual_seed(5)
    carry_over(after, model)
    assert torch.equal(torch.rand(2), torch.rand(2, generator=torch.Generator().manual_seed(5)))
