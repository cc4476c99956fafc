"""Objectives: what they add up to, and that splitting, packing and order change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.families import (
    LABELS,
    MEAN_ONLY,
    assert_gradients_equal,
    features,
    folder,
    gradients_of,
    lively,
    network,
)
from tests.training.fits import run
from weitiao.errors import NonFiniteLoss, Refused
from weitiao.methods import METHOD_OPTIONS, METHODS
from weitiao.models.batch import Batch, collate
from weitiao.models.heads import HEADS, Loss
from weitiao.models.heads.divergence import binary, categorical
from weitiao.models.inference import infer
from weitiao.models.network import Network, NetworkSpec, build
from weitiao.tasks import TASKS
from weitiao.training import OBJECTIVE_OPTIONS, OBJECTIVES
from weitiao.training.objectives import FGM, LwF, RDrop
from weitiao.training.options import ONE_ANSWER, FGMOptions, LwFOptions, ObjectiveOptions, RDropOptions
from weitiao.verbs.fitting.keeping import save_model


class RDropOfEqualPasses(RDrop):
    """R-Drop that takes a network without dropout, whose sums can be compared: the real one refuses it."""

    def _see_apart(self, first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> None:
        pass


R_DROP, ADVERSARIAL = RDropOfEqualPasses(RDropOptions(weight=0.7)), FGM(FGMOptions(epsilon=0.3))


def gradients(made: Network, losses: Sequence[Loss]) -> dict[str, torch.Tensor]:
    made.zero_grad()
    for loss in losses:
        loss.total.backward()
    return gradients_of(made)


def mean(losses: Sequence[Loss]) -> float:
    return float(sum(loss.total.detach() for loss in losses) / sum(loss.weight for loss in losses))


def test_every_objective_has_options() -> None:
    assert set(OBJECTIVES) == set(OBJECTIVE_OPTIONS) == {"plain", "rdrop", "fgm", "lwf"}
    for name, options in OBJECTIVE_OPTIONS.items():
        given = options(**({"teacher": "run/model"} if name == "lwf" else {}))
        assert issubclass(options, ObjectiveOptions) and given.work >= 1, name
        assert callable(OBJECTIVES[name](given))


def test_heads_that_diverge_are_those_that_check_lets_pass() -> None:
    assert {name for name, head in HEADS.items() if hasattr(head, "divergence")} == ONE_ANSWER
    assert {TASKS[name].head for name in TASKS} >= ONE_ANSWER


def test_divergences_are_those_of_torch() -> None:
    torch.manual_seed(0)
    one, other = torch.randn(4, 3), torch.randn(4, 3)
    p, q = (torch.distributions.Categorical(logits=each) for each in (one, other))
    both = (torch.distributions.kl_divergence(p, q) + torch.distributions.kl_divergence(q, p)) / 2
    torch.testing.assert_close(categorical(one, other), both)
    b, c = (torch.distributions.Bernoulli(logits=each) for each in (one, other))
    both = (torch.distributions.kl_divergence(b, c) + torch.distributions.kl_divergence(c, b)) / 2
    torch.testing.assert_close(binary(one, other), both)
    hidden = torch.tensor([0.0, float("-inf")])
    closed = categorical(torch.cat([one[0], hidden[1:]]), torch.cat([other[0], hidden[1:]]))
    torch.testing.assert_close(closed, categorical(one[0], other[0]))


def test_r_drop_is_equation_4() -> None:
    made = network("bert", dropout=0.3)
    made.train()
    batch = collate(features("bert", 6, longest=9), made.spec.pad_id)
    torch.manual_seed(3)
    loss = RDrop(R_DROP.options)(made, batch)
    torch.manual_seed(3)
    first, second = made.outputs(batch.repeated(2))["logits"].log_softmax(-1).chunk(2)
    gold = batch.targets["labels"]
    apart = ((first.exp() - second.exp()) * (first - second)).sum(-1) / 2
    nll = -(first + second).gather(1, gold[:, None])[:, 0]
    assert apart.sum().item() > 1e-6
    torch.testing.assert_close(loss.total / loss.weight, (nll + 0.7 * apart).mean())


def test_without_dropout_r_drop_is_twice_the_plain_loss() -> None:
    made = network("bert").eval()
    batch = collate(features("bert", 6, longest=9), made.spec.pad_id)
    assert mean([R_DROP(made, batch)]) == pytest.approx(2 * mean([made.loss(batch)]), rel=1e-6)


@pytest.mark.parametrize(("family", "method", "live"), [("bert", "head", True), ("gpt2", "head", False),
                                                        ("gpt2", "full", True)])  # fmt: skip
def test_r_drop_refuses_passes_without_dropout(family: str, method: str, live: bool, tmp_path: Path) -> None:
    """Frozen layers run without it; BERT's own head has some, GPT-2's has none."""
    objective = RDrop(RDropOptions())
    chosen = METHODS[method](METHOD_OPTIONS[method]())
    if live:
        run(tmp_path, family=family, dropout=0.1, method=chosen, objective=objective, max_steps=2)
        return
    with pytest.raises(Refused, match="nothing that runs has dropout"):
        run(tmp_path, family=family, dropout=0.1, method=chosen, objective=objective, max_steps=2)


def taught(target: Path, classes: int, **options: Any) -> tuple[LwF, Network]:
    """The objective with a teacher of so many classes, and the teacher."""
    teacher = lively(build(folder("bert"), NetworkSpec("classify", "stock", LABELS[:classes], dropout=0.0)))
    card = {"task": "classify", "labels": LABELS[:classes], "max_length": 32,
            "network": {"head": "classify", "kind": "stock", "labels": LABELS[:classes]}}  # fmt: skip
    save_model(teacher, card, target, base=folder("bert"), tokenizer=None)
    return LwF(LwFOptions(teacher=str(target), **options)), teacher.eval()


def test_lwf_is_the_loss_and_the_distance_over_old_classes(tmp_path: Path) -> None:
    objective, teacher = taught(tmp_path / "model", 2, weight=0.7, temperature=3.0)
    made = lively(network("bert"), 0.1)
    batch = collate(features("bert", 6, longest=9), made.spec.pad_id)
    loss, plain = objective(made, batch), made.loss(batch)
    old, new = (each.outputs(batch)["logits"][:, :2] / 3.0 for each in (teacher, made))
    p, q = (torch.distributions.Categorical(logits=each) for each in (old, new))
    apart = (torch.distributions.kl_divergence(p, q) + torch.distributions.kl_divergence(q, p)) / 2
    assert apart.sum().item() > 1e-3
    torch.testing.assert_close(loss.total, plain.total + 0.7 * 9.0 * apart.sum())
    assert float(loss.weight) == float(plain.weight)


def test_lwf_teaches_nothing_to_the_teacher_and_draws_nothing(tmp_path: Path) -> None:
    objective, _teacher = taught(tmp_path / "model", 3)
    made = network("bert")
    torch.manual_seed(4)
    objective(made, collate(features("bert", 6, longest=9), made.spec.pad_id)).total.backward()
    assert torch.equal(torch.rand(2), torch.rand(2, generator=torch.Generator().manual_seed(4)))
    assert all(each.grad is None for each in objective.teacher(made).parameters())


def test_lwf_splits_as_the_loss_does(tmp_path: Path) -> None:
    objective, _teacher = taught(tmp_path / "model", 2)
    made = lively(network("bert"), 0.05)
    rows = features("bert", 8, longest=12)

    def losses(*parts: Sequence[int]) -> list[Loss]:
        return [objective(made, collate([rows[row] for row in part], made.spec.pad_id, part)) for part in parts]

    whole, split = losses(range(8)), losses([5, 2], [7], [0, 6, 1, 4], [3])
    assert mean(split) == pytest.approx(mean(whole), rel=1e-6)
    assert_gradients_equal(gradients(made, split), gradients(made, whole))


def test_fgm_moves_each_row_against_its_loss() -> None:
    made = network("bert")
    batch = collate(features("bert", 6, longest=9), made.spec.pad_id)
    seen: list[torch.Tensor] = []
    words = made.backbone.get_input_embeddings()
    plain = made.loss(batch)
    assert made.rows_first  # found by a look-up of its own, once
    handle = words.register_forward_hook(lambda _module, _args, output: seen.append(output.detach()))
    loss = ADVERSARIAL(made, batch)
    handle.remove()
    assert mean([loss]) > 2 * mean([plain])  # the second part is the larger one
    assert float(loss.weight) == float(plain.weight)
    assert len(seen) == 2 and torch.equal(seen[0], seen[1])  # the hook stands before the move; both looked up the same

    inner = next(each for name, each in made.named_modules() if name.endswith("embeddings.LayerNorm"))
    at: list[torch.Tensor] = []
    handle = inner.register_forward_hook(lambda _module, args, _output: at.append(args[0].detach()))
    ADVERSARIAL(made, batch)
    handle.remove()
    moved = (at[1] - at[0]).flatten(1).norm(dim=1)
    torch.testing.assert_close(moved, torch.full_like(moved, 0.3), rtol=1e-3, atol=0)


@pytest.mark.parametrize("family", ["bert", "gpt2", "bart", "t5", "xlnet"])
@pytest.mark.parametrize("objective", [R_DROP, ADVERSARIAL])
def test_splitting_and_order_change_nothing(objective: Any, family: str) -> None:
    made = lively(network(family, "mean" if family in MEAN_ONLY else "stock"), 0.05)
    rows = features(family, 8, longest=12)
    made.train()

    def losses(*parts: Sequence[int]) -> list[Loss]:
        return [objective(made, collate([rows[row] for row in part], made.spec.pad_id, part)) for part in parts]

    whole, split = losses(range(8)), losses([5, 2], [7], [0, 6, 1, 4], [3])
    assert mean(split) == pytest.approx(mean(whole), rel=1e-6)
    assert_gradients_equal(gradients(made, split), gradients(made, whole))


@pytest.mark.parametrize("objective", [R_DROP, ADVERSARIAL])
def test_packing_changes_nothing(objective: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = lively(network("bert"), 0.05)
    batch = collate(features("bert", 8, longest=12), made.spec.pad_id)
    packed = objective(made, batch)
    monkeypatch.setattr(Network, "packable", property(lambda self: False))
    assert mean([objective(made, batch)]) == pytest.approx(mean([packed]), rel=1e-6)


@pytest.mark.parametrize("objective", [R_DROP, ADVERSARIAL])
def test_micro_batches_train_to_the_same_logits(objective: Any, tmp_path: Path) -> None:
    rows, logits = features("bert", 24, longest=10), []
    for budget in (10_000, 15):
        made, _result, _events = run(
            tmp_path / str(budget), rows=rows, max_steps=20, epochs=9, token_budget=budget, objective=objective
        )
        logits.append(np.stack([output["logits"] for output in infer(made, rows)]))
    assert np.abs(logits[1] - logits[0]).max() < 1e-4


def test_fgm_reaches_words_that_do_not_learn_and_those_of_checkpointed_layers() -> None:
    batch = collate(features("bert", 4, longest=9), 0)
    losses = []
    for change in (None, "frozen", "checkpointed"):
        made = network("bert")
        if change == "frozen":
            made.backbone.get_input_embeddings().requires_grad_(False)
        elif change == "checkpointed":
            made.checkpoint_gradients()
        made.train()
        losses.append(mean([ADVERSARIAL(made, batch)]))
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-6)


def test_rows_without_target_add_nothing() -> None:
    made = network("bert")
    rows = features("bert", 4, longest=9)
    empty = [replace(row, targets={}) for row in rows[2:]]
    for objective in (R_DROP, ADVERSARIAL):
        alone = objective(made, collate(rows[:2], made.spec.pad_id))
        mixed = objective(made, collate(rows[:2] + empty, made.spec.pad_id))
        nothing = objective(made, collate(empty, made.spec.pad_id))
        assert mean([mixed]) == pytest.approx(mean([alone]), rel=1e-6)
        assert nothing.weight.item() == nothing.total.item() == 0.0


def test_fgm_goes_with_a_loss_that_compares_the_rows_of_a_step() -> None:
    torch.manual_seed(1)
    spec = NetworkSpec("score", "mean", ["score"], options={"loss": "ranking"}, dropout=0.0)
    made = lively(build(folder("bert"), spec), 0.05)
    scores = np.linspace(0, 1, 6, dtype=np.float32)
    rows = [
        replace(row, targets={"score": score})
        for row, score in zip(features("bert", 6, longest=9), scores, strict=True)
    ]
    assert made.coupled
    plain = mean([made.loss(collate(rows, made.spec.pad_id))])
    one, other = (mean([ADVERSARIAL(made, collate(each, made.spec.pad_id))]) for each in (rows, rows[::-1]))
    assert one == pytest.approx(other, rel=1e-6)
    assert one > 2 * plain


def test_a_loss_that_breaks_is_told_under_fgm_too(tmp_path: Path) -> None:
    def objective(made: Network, batch: Batch) -> Loss:
        loss = ADVERSARIAL(made, batch)
        return Loss(loss.total * float("nan"), loss.weight) if 3 in batch.rows else loss

    with pytest.raises(NonFiniteLoss, match=r"rows.csv:5: the loss of this row is not finite"):
        run(tmp_path, rows=features("bert", 8, longest=9), objective=objective)


def test_r_drop_refuses_a_head_without_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = network("bert")
    monkeypatch.delattr(type(made.head), "divergence")
    with pytest.raises(Refused, match="which ClassifyHead does not give"):
        R_DROP(made, collate(features("bert", 2, longest=9), made.spec.pad_id))
