"""Pre-flight: what it hands to training, that it stops at nothing, and what its plan counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.mistakes.cases import GOOD, csv, rows
from tests.model_folder import DEPTH, HIDDEN, make_model_folder, shapes

from weitiao import machine
from weitiao.errors import ProblemsFound
from weitiao.methods import METHOD_OPTIONS
from weitiao.models.shape import Shape, shape_of
from weitiao.recipe import Recipe, load_recipe
from weitiao.verbs.check import check
from weitiao.verbs.fitting.fit import loop_settings
from weitiao.verbs.planning import cost, speed
from weitiao.verbs.planning.plan import Measured, checkpoints_of, make_plan, steps_of
from weitiao.verbs.preparing import encoding, model_checks
from weitiao.verbs.preparing.frame import formats_of, frame
from weitiao.verbs.preparing.preflight import Preflight, inspect
from weitiao.verbs.preparing.resolving import resolved


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path / "cache"))
    for width in (HIDDEN, BIG.hidden):
        speed.remember_speed(4e12, 10.0, speed.speed_key(width, None))
    make_model_folder(tmp_path / "m")
    (tmp_path / "good.csv").write_text(GOOD)
    return tmp_path


def recipe(**sections: Any) -> Recipe:
    return load_recipe({"task": "classify", "model": "./m", "data": {"train": "good.csv"}, **sections}, frame())


def test_it_hands_over_what_training_needs(here: Path) -> None:
    found = inspect(recipe(data={"train": "good.csv", "test": "20%"}), full=True)
    assert found.problems == []
    assert list(found.labels) == ["NEG", "POS"]
    assert found.metric == "accuracy"
    assert found.dataset is not None
    assert found.folder is not None
    assert found.tokenizer is not None
    assert found.plan is not None
    for split, records in found.dataset.records.items():
        features = found.features[split]
        assert [feature.group for feature in features] == list(range(len(records)))
        for feature, record in zip(features, records, strict=True):
            assert found.labels[int(feature.targets["labels"])] == record.labels[0]  # type: ignore[attr-defined]
    found.refuse(strict=True)


def test_rows_in_memory_stand_in_for_files(here: Path) -> None:
    table = [{"text": text, "label": label} for text, label in rows()]
    found = inspect(recipe(data={"train": "memory"}), full=True, memory={"train": table})
    assert found.problems == []
    assert found.dataset is not None
    assert len(found.dataset.records["train"]) == 36


def test_refusing_depends_on_severity(here: Path) -> None:
    found = inspect(recipe(training={"max_length": 5}), full=True)
    assert [problem.code for problem in found.problems] == ["truncation"]
    assert found.warnings == found.problems
    found.refuse()
    with pytest.raises(ProblemsFound, match="40 of 40 texts are longer than 5 tokens"):
        found.refuse(strict=True)


def test_truncated_rows_are_in_the_ledger_and_it_still_balances(here: Path) -> None:
    (here / "good.csv").write_text(
        csv([(text + " a b c d e f g h" * (index % 4 == 0), label) for index, (text, label) in enumerate(rows())])
    )
    whole = inspect(recipe(), full=True)
    longest = whole.plan.lengths["train"]["max"] if whole.plan else 0
    found = inspect(recipe(training={"max_length": longest - 1}), full=True)
    assert found.dataset is not None
    assert found.plan is not None
    ledger = found.dataset.ledger
    ledger.check()
    cut = {split: sum(feature.cut > 0 for feature in features) for split, features in found.features.items()}
    assert 0 < sum(cut.values()) < 40
    assert {split: count for (_file, split), count in ledger.truncated.items() if count} == {
        k: v for k, v in cut.items() if v
    }
    assert dict(found.plan.truncated) == cut
    assert ledger.kept.total() + ledger.truncated.total() == 40


TWENTY = " ".join("abcdefghijklmnopqrst")  # twenty units


@pytest.mark.parametrize(
    ("task", "row"),
    [
        (
            "answer",
            {"question": "a b", "text": TWENTY, "answers": [{"text": TWENTY, "start": 0}]},
        ),
        (
            "span",
            {"text": TWENTY, "spans": [[0, len(TWENTY), "A"]]},
        ),
        (
            "event",
            {"text": TWENTY, "events": [{"type": "A", "trigger": [0, 1], "arguments": [[38, 39, "r"]]}]},
        ),
    ],
)
@pytest.mark.parametrize("full", [True, False])
def test_gold_that_no_window_holds_is_no_truncation(task: str, row: dict[str, Any], full: bool, here: Path) -> None:
    table = [{**row, "text": f"{row['text']} {number}"} for number in range(20)]
    wanted = recipe(task=task, data={"train": "memory", "dev": None}, training={"max_length": 12})
    found = inspect(wanted, full=full, memory={"train": table})
    (problem,) = (each for each in found.problems if each.code == "outside-windows")
    assert problem.message == (
        "20 of 20 measured rows of train have gold answers that no window of 12 tokens holds whole or together, and "
        "that cannot be found; raise training.max_length (of questions also task.overlap), or part the texts"
    )
    assert (problem.severity, len(problem.rows)) == ("warning", 20)
    assert not any(each.code == "truncation" for each in found.problems)
    assert found.plan is not None and sum(found.plan.truncated.values()) == 0


def test_lengths_are_those_before_cutting(here: Path) -> None:
    free = inspect(recipe(), full=True).plan
    cut = inspect(recipe(training={"max_length": 5}), full=True).plan
    assert free is not None
    assert cut is not None
    assert free.lengths == cut.lengths
    assert (free.max_length, cut.max_length) == (64, 5)
    assert cut.tokens == 36 * 5


def test_all_texts_up_to_the_bound_and_a_stated_sample_above(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(len(text.encode()) for text, _label in rows())
    monkeypatch.setattr(encoding, "ALL_BELOW", size)
    exact = check({"task": "classify", "model": "./m", "data": "good.csv", "training": {"max_length": 5}})
    assert exact.plan is not None
    assert not exact.plan.sampled
    monkeypatch.setattr(encoding, "ALL_BELOW", size // 2)
    sampled = check({"task": "classify", "model": "./m", "data": "good.csv", "training": {"max_length": 5}})
    assert sampled.plan is not None
    assert sampled.plan.sampled
    assert sampled.features == {}
    assert sampled.plan.rows == exact.plan.rows
    assert (
        sampled.plan
        == check({"task": "classify", "model": "./m", "data": "good.csv", "training": {"max_length": 5}}).plan
    )
    (problem,) = sampled.problems
    assert problem.message.startswith("about ")
    assert "(estimated from 20 rows)" in problem.message
    full = inspect(recipe(training={"max_length": 5}), full=True)
    assert full.plan is not None
    assert not full.plan.sampled


def test_nothing_stops_it(here: Path) -> None:
    (here / "bad.csv").write_text(csv([(text, "POS") for text, _label in rows()]))
    found = check(
        {
            "task": "classify", "model": {"name": "./m", "reinit_layers": 9},
            "data": {"train": "bad.csv", "test": "no.csv"}, "sed": 3,
            "training": {"max_length": 900, "precision": "fp8"},
        }
    )  # fmt: skip
    assert [problem.code for problem in found.problems] == [
        "bad-value", "unknown-key", "missing-file", "too-few-classes", "misfit", "misfit",
    ]  # fmt: skip


def test_python_users_get_the_same_places(here: Path) -> None:
    found = inspect(recipe(training={"max_length": 500}), full=False, recipe_file="runs/a/recipe.yaml")
    assert str(found.problems[0]) == (
        "runs/a/recipe.yaml: `training.max_length` is 500, but the model reads at most 64 tokens"
    )


def test_options_that_wait_for_dev_rows_the_file_does_not_have(here: Path) -> None:
    table = [(*row, "test" if index % 4 == 0 else "train") for index, row in enumerate(rows())]
    (here / "split.csv").write_text(csv(table, "text,label,split"))
    data = {"file": "split.csv", "dev": None, "fields": {"split": "split"}}
    found = inspect(recipe(data=data, training={"patience": 2}), full=False)
    assert [str(problem) for problem in found.problems] == [
        "`training.patience` needs a dev split, and the data have none; set `data.dev`, such as 10%"
    ]


@pytest.mark.parametrize(
    ("precision", "flags", "refused"),
    [("fp32", set(), False), ("bf16", {"avx2"}, True), ("bf16", {"amx_bf16"}, False)],
)
def test_mixed_precision_where_it_is_fast(
    here: Path, monkeypatch: pytest.MonkeyPatch, precision: str, flags: set[str], refused: bool
) -> None:
    monkeypatch.setattr(model_checks, "cpu_flags", lambda: flags)
    codes = [problem.code for problem in inspect(recipe(training={"precision": precision}), full=False).problems]
    assert codes == (["slow-precision"] if refused else [])


def test_objectives_that_this_model_cannot_have(here: Path) -> None:
    frozen, fgm = {"name": "freeze", "layers": 2}, {"objective": "fgm"}
    (problem,) = inspect(recipe(method=frozen, training=fgm), full=False).problems
    assert str(problem).endswith(
        "`training.objective: fgm` moves the word embeddings, and the frozen layers above them are cached; "
        "set method.cache=false, or take another objective"
    )
    assert inspect(recipe(method={**frozen, "cache": False}, training=fgm), full=False).problems == []
    assert inspect(recipe(training={"objective": "rdrop"}), full=False).problems == []
    make_model_folder(here / "m", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    (problem,) = inspect(recipe(training={"objective": "rdrop"}), full=False).problems
    assert "needs dropout, and this model's config sets every rate to 0; set model.dropout, such as 0.1" in str(problem)
    with_rate = recipe(model={"name": "./m", "dropout": 0.1}, training={"objective": "rdrop"})
    assert inspect(with_rate, full=False).problems == []


def test_a_tracker_whose_package_is_absent(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_checks, "find_spec", lambda name: None if name == "swanlab" else name)
    (problem,) = inspect(recipe(tracking={"trackers": ["wandb", "swanlab"]}), full=False).problems
    assert (problem.code, problem.severity) == ("missing-extra", "error")
    assert str(problem).endswith("swanlab is not installed; install it with: pip install 'weitiao[swanlab]'")


def shape() -> Shape:
    config = {"num_hidden_layers": DEPTH, "hidden_size": HIDDEN, "intermediate_size": 16, "num_attention_heads": 2}
    return shape_of(config, shapes(100, 64))


def test_the_shape_counts_every_parameter_once() -> None:
    found = shape()
    sizes = {name: int(np.prod(each)) for name, each in shapes(100, 64).items()}
    assert found.total == sum(sizes.values())
    assert found.embeddings == (100 + 64 + 2) * HIDDEN
    assert found.layers == sum(size for name, size in sizes.items() if "layer." in name)
    assert found.layer * DEPTH == found.layers


def test_shared_layers_are_stored_once_and_passed_often() -> None:
    names = {"encoder.groups.0.layers.0.w": (10, 10), "embeddings.word_embeddings.weight": (7, 5)}
    found = shape_of({"num_hidden_layers": 12, "hidden_size": 10}, names)
    assert (found.depth, found.layer, found.layers, found.embeddings) == (12, 100, 100, 35)


def test_heads_of_other_tasks_are_not_part_of_it() -> None:
    with_head = {**shapes(100, 64), "cls.predictions.decoder.weight": (100, HIDDEN), "lm_head.weight": (100, HIDDEN)}
    config = {"num_hidden_layers": DEPTH, "hidden_size": HIDDEN}
    assert shape_of(config, with_head).total == shape().total


BIG = Shape(
    depth=6,
    stack=6,
    repeats=1,
    hidden=384,
    inner=1536,
    heads=12,
    layer=1_774_464,
    layers=10_646_784,
    embeddings=11_920_896,
    other=150_000,
)


def uncut(windows: int = 1, **lengths: Any) -> Measured:
    """Lengths of each split, of rows of so many windows, nothing cut off."""
    rows = {split: len(each) // windows for split, each in lengths.items()}
    cuts = {split: np.zeros_like(each) for split, each in lengths.items()}
    return Measured(rows, lengths, cuts, dict.fromkeys(rows, 0), 128, sampled=False)


def plan(method: Any = "full", *, length: int = 28, count: int = 3200, **training: Any) -> Any:
    measured = uncut(train=np.full(count, length))
    settings = {"batch_size": 32, **training}
    return make_plan(recipe(method=method, training=settings), BIG, "bert", measured, classes=2)


def test_steps_and_parameters(here: Path) -> None:
    full = plan()
    assert (full.steps, full.epochs, full.evaluations) == (300, 3.0, 3)
    assert full.trained == full.parameters == BIG.total + 2 * 384 + 2
    assert plan(max_steps=50).steps == 50
    assert plan(max_steps=5000).steps == 300
    assert plan(epochs=0.5).steps == 50
    assert plan(evaluate_every=40).evaluations == 8
    frozen = plan({"name": "freeze", "layers": 4})
    assert frozen.trained == pytest.approx(BIG.layers / 3 + BIG.other, rel=0.01)
    assert plan("head").trained < 0.01 * full.trained


def test_an_objective_and_an_average_have_their_price(here: Path) -> None:
    plain, double, adversarial = plan(), plan(objective="rdrop"), plan(objective="fgm")
    assert 1.5 * plain.work < double.work < 2 * plain.work < adversarial.work < 7 / 3 * plain.work
    assert plain.memory_bytes < double.memory_bytes == adversarial.memory_bytes
    averaged = plan(ema=0.999)
    assert averaged.memory_bytes == plain.memory_bytes + 4 * plain.trained
    assert plain.work < averaged.work < 1.1 * plain.work


def test_an_average_over_more_steps_than_there_are_is_warned_of(here: Path) -> None:
    """Ten steps: an average over a hundred would be made of the steps in which nothing was learnt yet."""

    def said(ema: float) -> list[str]:
        found = inspect(recipe(training={"max_steps": 10, "epochs": 99, "ema": ema}), full=False)
        return [str(each.message) for each in found.problems if each.code == "long-average"]

    assert said(0.99) == [
        "`training.ema` 0.99 averages over about 100 steps, but the whole of training has 10; give at most 0.9, or "
        "remove it"
    ]
    assert said(0.9) == []


def test_more_memory_than_there_is_is_warned_of(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> list[str]:
        return [str(each.message) for each in inspect(recipe(), full=False).problems if each.code == "too-large"]

    plan = inspect(recipe(), full=False).plan
    assert plan is not None
    needed = plan.memory_bytes
    monkeypatch.setattr(machine, "memory", lambda: needed)
    assert said() == []
    monkeypatch.setattr(machine, "memory", lambda: needed - 1)
    (message,) = said()
    assert message.startswith(f"training needs about {needed / 1e9:.1f} GB of memory, and there are {needed / 1e9:.1f}")
    monkeypatch.setattr(machine, "memory", lambda: None)
    assert said() == []


def test_windows_of_a_row_share_a_step(here: Path) -> None:
    of_one = make_plan(recipe(training={"batch_size": 32}), BIG, "bert", uncut(train=np.full(3200, 28)), 2)
    of_four = make_plan(recipe(training={"batch_size": 8}), BIG, "bert", uncut(4, train=np.full(3200, 28)), 2)
    assert of_four.rows == {"train": 800}
    assert of_four.steps == of_one.steps == 300
    assert of_four.work == pytest.approx(of_one.work, rel=0.01)
    assert of_four.memory_bytes == of_one.memory_bytes


def test_work_is_the_textbooks_for_a_long_run(here: Path) -> None:
    measured = plan(epochs=100).work / (100 * 3200 * 28)
    a_token = 6 * BIG.layers + 3 * 6 * 4 * 384 * 28
    assert a_token < measured < 1.6 * a_token


def test_what_makes_training_cheaper_or_dearer_does_so_in_the_plan(here: Path) -> None:
    full = plan()
    assert plan({"name": "freeze", "layers": 4}).seconds < 0.75 * full.seconds
    assert plan({"name": "freeze", "layers": 4}).seconds < plan({"name": "freeze", "layers": 4, "cache": False}).seconds
    assert plan("head").work < 0.1 * full.work
    assert plan(gradient_checkpointing=True).work > 1.2 * full.work
    assert plan(gradient_checkpointing=True, length=120).memory_bytes < plan(length=120).memory_bytes
    assert plan({"name": "freeze", "layers": 4}).memory_bytes < full.memory_bytes
    assert plan(token_budget=512, length=120).memory_bytes < plan(length=120).memory_bytes
    assert plan(optimizer="sgd").memory_bytes < full.memory_bytes
    assert plan(max_minutes=0.001).seconds < full.seconds
    assert plan(length=56).work > 1.5 * full.work


def test_rows_that_no_step_reads_cost_nothing(here: Path) -> None:
    def seconds(rows: int) -> float:
        measured = uncut(train=np.full(rows, 28), dev=np.full(100, 28), test=np.full(100, 28))
        return make_plan(recipe(training={"max_steps": 5}), BIG, "bert", measured, 2).seconds

    assert seconds(100_000) == pytest.approx(seconds(1_000), rel=0.02)


def test_seeds_and_folds_add_up(here: Path) -> None:
    measured = uncut(train=np.full(320, 28))
    one = make_plan(recipe(), BIG, "bert", measured, 2)
    five = make_plan(recipe(seeds=5), BIG, "bert", measured, 2)
    fixed = cost.START_SECONDS + cost.REPORT_SECONDS
    assert five.runs == 5
    assert (
        5 < (five.seconds - fixed) / (one.seconds - fixed) < 6.1
    )  # five fits; each seed is measured, and the best again
    folded = make_plan(recipe(folds=4), BIG, "bert", measured, 2)
    assert 3.5 < (folded.seconds - fixed) / (one.seconds - fixed) < 5  # one fit of all rows, four of three quarters
    assert make_plan(recipe(folds=4), BIG, "bert", measured, 2).runs == 5
    assert make_plan(recipe(seeds=3, folds=4), BIG, "bert", measured, 2).runs == 7


@pytest.mark.parametrize("changes", [{}, {"checkpoint_every": 30}, {"checkpoint_every": 25}, {"checkpoint_every": 1},
                                     {"evaluate_every": 40, "checkpoint_every": 60}, {"epochs": 0.5}])  # fmt: skip
def test_every_checkpoint_is_counted(here: Path, changes: dict[str, Any]) -> None:
    made = recipe(training=changes)
    steps, per_epoch = steps_of(made, 3200)
    evaluate, save = made.training.evaluate_every or per_epoch, made.training.checkpoint_every
    saved = [
        step
        for step in range(1, steps + 1)
        if step % evaluate == 0 or step == steps or (save is not None and step % save == 0)
    ]
    assert checkpoints_of(made, steps, per_epoch) == len(saved)
    if save == 1:
        assert plan(**changes).work > plan().work


def test_padding_factors() -> None:
    lengths = np.array([10, 50] * 320)
    assert cost.padding(lengths, 32, "given") == pytest.approx(50 / 30)
    assert cost.padding(lengths, 32, "grouped") == pytest.approx(1.0)
    assert 1.5 < cost.padding(lengths, 32, "random") <= 50 / 30
    assert cost.padding(np.full(5, 7), 2, "grouped") == 1.0


def test_a_plan_is_json(here: Path) -> None:
    assert json.loads(json.dumps(plan().to_json()))["steps"] == 300


def test_speed_is_remembered_for_models_of_one_width_and_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path))
    monkeypatch.setattr(speed, "probe", lambda: 1e12)
    small, tiny = speed.speed_key(384, None), speed.speed_key(32, None)
    assert speed.machine_speed(small) == (1e12 * speed.EFFICIENCY, False)
    speed.remember_speed(4e12, 1.0, small)  # too short to say anything
    speed.remember_speed(1e12, 60.0, small)  # too little work
    assert speed.machine_speed(small)[1] is False
    speed.remember_speed(4e12, 40.0, small)
    assert speed.machine_speed(small) == (1e11, True)
    speed.remember_speed(3e12, 3000.0, tiny)  # a tiny model, far slower by this count
    assert speed.machine_speed(small) == (1e11, True)
    assert speed.machine_speed(tiny) == (1e9, True)
    assert speed.machine_speed(speed.speed_key(384, 1)) == (1e12 * speed.EFFICIENCY, False)
    assert speed.machine_speed(speed.speed_key(768, None))[1] is False
    speed.remember_speed(4e12, 10.0, small)
    assert speed.machine_speed(small) == (pytest.approx(2e11), True)
    (tmp_path / "machine.json").write_text("{broken")
    assert speed.machine_speed(small)[1] is False


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path / "file" / "below"))
    key = speed.speed_key(384, None)
    speed.remember_speed(4e12, 10.0, key)
    assert speed.machine_speed(key)[1] is False


def test_frozen_layers_that_cannot_be_cached_are_planned_and_told_so(here: Path) -> None:
    frozen = {"name": "freeze", "layers": 4}
    lengths = uncut(train=np.full(3200, 28))
    of_gpt2 = make_plan(recipe(method=frozen), BIG, "gpt2", lengths, 2)
    assert of_gpt2.seconds == make_plan(recipe(method={**frozen, "cache": False}), BIG, "gpt2", lengths, 2).seconds
    assert of_gpt2.work > 1.3 * make_plan(recipe(method=frozen), BIG, "bert", lengths, 2).work
    assert list(model_checks.uncached(recipe(method=frozen), "bert")) == []
    assert list(model_checks.uncached(recipe(), "gpt2")) == []
    assert [each.keys for each in model_checks.uncached(recipe(method="head"), "gpt2")] == [("method", "cache")]
    made = recipe(method="head", training={"gradient_checkpointing": True})
    notes = [each for each in inspect(made, full=False).problems if each.code == "no-cache"]
    assert [(each.severity, each.message) for each in notes] == [
        (
            "note",
            "the frozen layers are not cached with `training.gradient_checkpointing`; every epoch computes them anew",
        )
    ]


def test_the_probe_measures_something() -> None:
    assert speed.probe(0.02) > 1e8


def test_constants_are_those_of_the_rooms_they_describe() -> None:
    from weitiao.models import packing, padding
    from weitiao.training import batching, loop

    assert cost.PACKED == packing.PACKABLE
    assert cost.PACKING_WASTE == packing.WORTH_PACKING
    assert cost.MICRO_BATCH_TOKENS == loop.TOKEN_BUDGET
    assert cost.EVALUATION_TOKENS == padding.BATCH_TOKENS
    assert cost.POOL_STEPS == batching.POOL_STEPS


def test_a_preflight_without_anything_says_so(here: Path) -> None:
    found = check({"task": "classify"})
    assert isinstance(found, Preflight)
    assert (found.dataset, found.folder, found.plan) == (None, None, None)
    assert [problem.code for problem in found.problems] == ["missing-key", "missing-key"]


@pytest.mark.parametrize(
    ("data", "formats"),
    [
        ({"train": "a.csv", "test": "b.XLSX", "dev": "10%"}, {"csv", "xlsx"}),
        ({"train": ["a.tab", "b.ndjson"]}, {"tsv", "jsonl"}),
        ({"file": "hf:owner/name"}, {"hub"}),
        ({"train": "reviews.txt"}, {""}),
        ({"train": "reviews.txt", "format": "parquet"}, {"parquet"}),
    ],
)
def test_formats_by_name(data: dict[str, Any], formats: set[str]) -> None:
    assert formats_of(recipe(data=data).data) == formats


def test_options_of_formats_that_may_be_there_are_no_mistake() -> None:
    assert recipe(data={"train": "reviews.txt", "delimiter": "|", "header": False}).data.delimiter == "|"
    assert recipe(data={"train": "a.csv", "test": "b.json", "delimiter": ";"}).data.delimiter == ";"
    with pytest.raises(ProblemsFound, match=r"`data\.header` has no effect on json and parquet; remove it"):
        recipe(data={"train": "a.json", "test": "b.parquet", "header": True})


@pytest.mark.parametrize(
    ("method", "rate", "said"),
    [
        ("lora", 1e-4, ["`training.learning_rate` is 0.0001, and `method: lora` takes 0.0005 by itself"]),
        ("lora", 3e-4, []),
        ("lora", None, []),
        ("full", 5e-5, []),
        ("full", 1e-5, ["`training.learning_rate` is 1e-05, and `method: full` takes 0.0001 by itself"]),
    ],
)
def test_a_rate_that_was_meant_for_another_method_is_noted(
    here: Path, method: str, rate: float | None, said: list[str]
) -> None:
    found = inspect(recipe(method=method, training={"learning_rate": rate}), full=False)
    notes = [str(each.message) for each in found.problems if each.code == "low-rate"]
    assert [note.partition(";")[0] for note in notes] == said


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({}, 2e-2),
        ({"method": "lora"}, 2e-2),
        ({"training": {"learning_rate": 1e-5}}, 2e-2),
        ({"training": {"head_learning_rate": 1e-3}}, 1e-3),
        ({"training": {"optimizer": "sgd"}}, None),
        ({"method": "head"}, None),
        ({"model": {"name": "./m", "head": "stock"}}, None),
        ({"model": {"name": "./m", "head": "mean", "hidden_layers": [8]}}, None),
    ],
)
def test_a_new_layer_on_the_mean_learns_faster_than_the_rest(here: Path, changes: Any, rate: float | None) -> None:
    found = inspect(recipe(**{"model": {"name": "./m", "head": "mean"}} | changes), full=False)
    assert not [each for each in found.problems if each.severity == "error"]
    assert resolved(found).training.head_learning_rate == rate
    assert loop_settings(found, seed=0).optimiser.head_learning_rate == rate


def test_on_wide_models_a_new_layer_learns_like_the_rest() -> None:
    assert [METHOD_OPTIONS["full"]().head_rate(width) for width in (384, 385)] == [2e-2, None]


def test_weights_that_move_take_larger_steps_in_narrow_models() -> None:
    full, lora = METHOD_OPTIONS["full"](), METHOD_OPTIONS["lora"]()
    assert [full.rate(width, tokens=False) for width in (384, 768)] == [1e-4, 5e-5]
    assert [full.rate(width, tokens=True) for width in (384, 768)] == [2e-4, 5e-5]
    assert {lora.rate(width, tokens=tokens) for width in (384, 768) for tokens in (True, False)} == {5e-4}
