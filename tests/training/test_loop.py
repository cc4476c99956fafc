"""The loop: exact accumulation, crash-exact resume, what stops it, and what it says when the loss breaks."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.families import LABELS, features
from tests.training.fits import SETTINGS, StoppedError, accuracy, run, same, weights
from weitiao.errors import NonFiniteLoss, NothingLearnt, Refused
from weitiao.models.batch import Batch
from weitiao.models.heads import Loss
from weitiao.models.heads.classify import ClassifyHead
from weitiao.models.inference import infer
from weitiao.models.network import Network
from weitiao.records import Feature
from weitiao.training import checkpoint
from weitiao.training.batching import epoch_steps
from weitiao.training.journal import Journal
from weitiao.training.optimiser import OptimiserSpec
from weitiao.training.processes import Processes


def test_it_learns(tmp_path: Path) -> None:
    rows = features("bert", 52, longest=1)
    network, result, events = run(tmp_path, rows=rows, epochs=40)
    losses = [event["loss"] for event in events if event["kind"] == "step"]
    assert np.mean(losses[-5:]) < 0.3 * np.mean(losses[:5])
    assert accuracy(network, rows) > 0.95
    assert (result.steps, result.epochs, result.stopped) == (7 * 40, 40.0, "")
    assert result.tokens == 40 * sum(len(row) for row in rows)


UNEVEN = {"class_weights": tuple(float(3**index) for index in range(len(LABELS))), "label_smoothing": 0.2}


@pytest.mark.parametrize(("family", "loss"), [("bert", {}), ("gpt2", {}), ("bart", {}), ("bert", UNEVEN)])
def test_micro_batches_change_nothing(family: str, loss: dict[str, Any], tmp_path: Path) -> None:
    """Promise 3: after 20 AdamW steps the logits agree within 1e-4, however a step is split and rows weighed."""
    rows = features(family, 52, longest=12)
    logits = []
    for budget in (10_000, 30, 1):
        network, _result, _events = run(
            tmp_path / str(budget), rows=rows, family=family, loss=loss, max_steps=20, token_budget=budget
        )
        logits.append(np.stack([output["logits"] for output in infer(network, rows)]))
    assert np.abs(logits[1] - logits[0]).max() < 1e-4
    assert np.abs(logits[2] - logits[0]).max() < 1e-4


@pytest.mark.parametrize("stop_after", [1, 6, 7, 8, 13, 20])
def test_a_killed_run_resumes_bit_identical(stop_after: int, tmp_path: Path) -> None:
    rows = features("bert", 52, longest=12)

    def evaluate(network: Network) -> dict[str, float]:
        return {"accuracy": accuracy(network, rows)}

    straight, result, _events = run(tmp_path / "a", dropout=0.2, evaluate=evaluate, checkpoint_every=3)
    with pytest.raises(StoppedError):
        run(tmp_path / "b", dropout=0.2, evaluate=evaluate, checkpoint_every=3, stop_after=stop_after)
    resumed, again, _events = run(tmp_path / "b", dropout=0.2, evaluate=evaluate, checkpoint_every=3)
    assert same(weights(straight), weights(resumed))
    assert result.history == again.history
    assert result.best_step == again.best_step
    assert (tmp_path / "a/log.jsonl").read_text("utf-8") == (tmp_path / "b/log.jsonl").read_text("utf-8")


@pytest.mark.parametrize("harm", ["torn", "flipped", "no state"])
def test_a_broken_checkpoint_is_passed_over_with_a_warning(harm: str, tmp_path: Path) -> None:
    straight, _result, _events = run(tmp_path / "a", dropout=0.2, checkpoint_every=3)
    with pytest.raises(StoppedError):
        run(tmp_path / "b", dropout=0.2, checkpoint_every=3, stop_after=11)
    newest = checkpoint.at_step(tmp_path / "b/checkpoints", 9)
    file = newest / (checkpoint.STATE if harm == "no state" else "weights.safetensors")
    content = bytearray(file.read_bytes())
    if harm == "torn":
        file.write_bytes(content[: len(content) // 2])
    elif harm == "flipped":
        content[-10] ^= 4
        file.write_bytes(content)
    else:
        file.unlink()
    resumed, _result, events = run(tmp_path / "b", dropout=0.2, checkpoint_every=3)
    notes = [event["text"] for event in events if event["kind"] == "note"]
    assert "step-00000009" in notes[0]
    assert "the checkpoint before it is used" in notes[0]
    assert "resumed at step 7" in notes[1]  # the end of the first epoch
    assert same(weights(straight), weights(resumed))


def test_the_best_evaluation_is_kept_and_the_earlier_of_equals(tmp_path: Path) -> None:
    scores = iter([0.5, 0.9, 0.9, 0.7])
    seen = []

    def evaluate(network: Network) -> dict[str, float]:
        seen.append(weights(network))
        return {"accuracy": next(scores)}

    network, result, _events = run(tmp_path, epochs=4, evaluate=evaluate)
    assert result.best_step == 14
    assert same(weights(network), seen[1])


@pytest.mark.parametrize(
    ("changes", "steps", "reason"),
    [
        ({"patience": 2}, 4 * 7, "patience"),
        ({"stop_at": 0.6}, 2 * 7, "stop_at"),
        ({"max_minutes": 1e-9}, 1, "max_minutes"),
    ],
)
def test_what_stops_it_early(changes: dict[str, float], steps: int, reason: str, tmp_path: Path) -> None:
    scores = iter([0.5, 0.6, 0.6, 0.55, 0.6, 0.6])
    _network, result, _events = run(tmp_path, epochs=6, evaluate=lambda _network: {"accuracy": next(scores)}, **changes)
    assert (result.steps, result.stopped) == (steps, reason)
    assert result.history[-1]["step"] == steps


def test_the_lowest_loss_may_choose(tmp_path: Path) -> None:
    losses = iter([0.5, 0.3, 0.4, 0.2, 0.1])
    _network, result, _events = run(
        tmp_path, epochs=5, evaluate=lambda _network: {"loss": next(losses)}, metric="loss", stop_at=0.25
    )
    assert (result.steps, result.best_step, result.stopped) == (28, 28, "stop_at")
    losses = iter([0.5, 0.3, 0.4, 0.35, 0.1])
    _network, result, _events = run(
        tmp_path / "b", epochs=5, evaluate=lambda _network: {"loss": next(losses)}, metric="loss", patience=2
    )
    assert (result.steps, result.best_step, result.stopped) == (28, 14, "patience")


def test_epochs_may_be_a_fraction_and_steps_may_be_capped(tmp_path: Path) -> None:
    assert run(tmp_path / "half", epochs=0.5)[1].steps == 4
    assert run(tmp_path / "capped", max_steps=5)[1].steps == 5
    assert run(tmp_path / "by epochs", epochs=1, max_steps=50)[1].steps == 7


def test_a_step_without_targets_is_refused_with_its_rows(tmp_path: Path) -> None:
    rows = [Feature(row.input_ids, row.token_type_ids, {}, row.group) for row in features("bert", 8)]
    with pytest.raises(
        NothingLearnt,
        match=r"step 1: no row of the step has a target to learn from \(rows\.csv:\d+, .*\); check the labels",
    ):
        run(tmp_path, rows=rows)


def test_a_step_whose_gold_no_window_holds_is_passed_over(tmp_path: Path) -> None:
    first, *others = features("bert", 32)
    bare = [Feature(row.input_ids, row.token_type_ids, {}, row.group, lost=1) for row in others]
    _network, result, events = run(tmp_path, rows=[first, *bare], epochs=1)
    losses = [event["loss"] for event in events if event["kind"] == "step"]
    assert (result.steps, len(losses), bool(np.isfinite(losses).all())) == (4, 1, True)
    with pytest.raises(NothingLearnt, match="no row of the step has a target to learn from"):
        run(tmp_path / "unlabelled", rows=[first, *(replace(row, lost=0) for row in bare)], epochs=1)


def test_a_row_whose_loss_is_not_finite_is_named(tmp_path: Path) -> None:
    def objective(network: Network, batch: Batch) -> Loss:
        loss = network.loss(batch)
        return Loss(loss.total * float("nan"), loss.weight) if 5 in batch.rows else loss

    with pytest.raises(NonFiniteLoss, match=r"rows\.csv:7: the loss of this row is not finite; look at its text"):
        run(tmp_path, objective=objective)


def test_weights_that_blow_up_are_named_as_the_cause(tmp_path: Path) -> None:
    wild = OptimiserSpec(name="sgd", learning_rate=1e30)
    with pytest.raises(NonFiniteLoss, match=r"step \d+: .*not finite.*lower training\.learning_rate \(1e\+30\)"):
        run(tmp_path, optimiser=wild, warmup=0, clip=None)


def test_the_log_has_a_line_a_step_and_an_evaluation(tmp_path: Path) -> None:
    run(tmp_path, epochs=1, evaluate=lambda _network: {"accuracy": 0.5})
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6, 7, 7]
    assert lines[-1]["dev"] == {"accuracy": 0.5}
    assert set(lines[0]) == {"step", "epoch", "loss", "learning_rate", "tokens"}


def test_the_log_is_cut_at_its_own_line_ends_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log.jsonl")
    for number in (1, 2, 3):
        journal.write({"step": number, "dev": {"f1 of a\u2028b\x85c": 0.5}})
    with journal.path.open("a") as stream:
        stream.write('{"step": 2, "lo')  # killed while writing
    journal.rewind(2)
    lines = journal.path.read_text("utf-8").split("\n")
    assert [json.loads(line)["step"] for line in lines[:-1]] == [1, 2]
    assert lines[-1] == ""


def test_old_checkpoints_go_and_the_best_stays(tmp_path: Path) -> None:
    scores = iter([0.9, 0.5, 0.5, 0.5, 0.5])
    run(tmp_path, epochs=5, evaluate=lambda _network: {"accuracy": next(scores)}, keep_checkpoints=2)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "step-00000007", "step-00000028", "step-00000035",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_each_optimiser_lowers_the_loss(name: str, tmp_path: Path) -> None:
    rate = {"adamw": 2e-3, "adam": 2e-3, "sgd": 0.1}[name]
    spec = OptimiserSpec(name=name, learning_rate=rate)  # type: ignore[arg-type]
    _network, _result, events = run(tmp_path, epochs=20, optimiser=spec)
    losses = [event["loss"] for event in events if event["kind"] == "step"]
    assert np.mean(losses[-7:]) < 0.8 * np.mean(losses[:7])


def test_l1_and_l2_sp_pull_where_they_should(tmp_path: Path) -> None:
    start = weights(run(tmp_path / "none", max_steps=1, optimiser=OptimiserSpec(learning_rate=1e-12))[0])
    name = "backbone.bert.encoder.layer.0.output.dense.weight"

    def after(folder: str, **penalty: float) -> torch.Tensor:
        spec = OptimiserSpec(learning_rate=2e-3, weight_decay=0.0, **penalty)  # type: ignore[arg-type]
        return weights(run(tmp_path / folder, epochs=10, optimiser=spec, clip=None)[0])[name]

    plain, sparse, near = after("plain"), after("l1", l1=0.1), after("l2_sp", l2_sp=10.0)
    assert sparse.abs().sum() < 0.8 * plain.abs().sum()
    assert (near - start[name]).norm() < 0.5 * (plain - start[name]).norm()


def test_settings_are_the_recipe_defaults() -> None:
    from weitiao.recipe import TrainingSpec
    from weitiao.training.terms import LoopSettings

    spec, loop, optimiser = TrainingSpec(), LoopSettings(), OptimiserSpec()
    shared = set(LoopSettings.__dataclass_fields__) & set(TrainingSpec.model_fields) - {"metric", "learning_rate"}
    assert {name: getattr(spec, name) for name in shared} == {name: getattr(loop, name) for name in shared}
    shared = set(OptimiserSpec.__dataclass_fields__) & set(TrainingSpec.model_fields) - {"learning_rate"}
    assert {name: getattr(spec, name) for name in shared} == {name: getattr(optimiser, name) for name in shared}
    assert SETTINGS.optimiser.name == spec.optimizer


def test_a_step_whose_rows_are_compared_is_never_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []

    def objective(network: Network, batch: Batch) -> Loss:
        seen.append(list(batch.rows))
        return network.loss(batch)

    rows = features("bert", 16, longest=12)
    run(tmp_path / "split", rows=rows, epochs=1, token_budget=1, objective=objective)
    assert [len(each) for each in seen] == [1] * 16
    seen.clear()
    monkeypatch.setattr(ClassifyHead, "coupled", True, raising=False)
    run(tmp_path / "whole", rows=rows, epochs=1, token_budget=1, objective=objective)
    assert [len(each) for each in seen] == [8, 8]
    assert seen == epoch_steps(rows, 8, "grouped", SETTINGS.seed, 0)


def test_several_processes_do_not_share_such_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClassifyHead, "coupled", True, raising=False)
    monkeypatch.setattr(Processes, "current", classmethod(lambda cls: cls(0, 2)))
    with pytest.raises(
        Refused, match=r"compares all rows of a step with each other, and 2 processes would each see a part"
    ):
        run(tmp_path)
