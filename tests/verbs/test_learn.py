"""`weitiao learn`: where rows go, what the gate says, what is promoted, and what is refused with nothing written."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.trained import BAD, GOOD, OTHER, recipe

import weitiao
from weitiao.artifact import read_json
from weitiao.cli import main
from weitiao.errors import Interrupted, Refused
from weitiao.models.tiny import tiny
from weitiao.recipe import EvaluationSpec, load_recipe
from weitiao.records import ClassifyPrediction, ClassifyRecord
from weitiao.serving.feedback.store import Feedback, FeedbackStore
from weitiao.serving.promotion import PROMOTED, Promotions, current, promote
from weitiao.tasks import TASKS
from weitiao.verbs.learn import LEARNT, learn, roll_back
from weitiao.verbs.learning.gate import Answered, Gate, judge
from weitiao.verbs.learning.rows import wanted
from weitiao.verbs.preparing.frame import frame

STILL = ("training.epochs=0.1", "training.learning_rate=1e-9")  # learns next to nothing, in a step


def review(rng: random.Random, first: Sequence[str], number: int) -> str:
    return " ".join([rng.choice(first), *rng.choices(OTHER, k=3), f"9{number:03}"])


def rows_of(count: int, *, seed: int = 5) -> list[dict[str, str]]:
    """More rows of the kind that `trained.recipe` writes."""
    rng = random.Random(seed)
    kinds = ((GOOD, "pos"), (BAD, "neg"))
    return [{"review": review(rng, kinds[n % 2][0], n), "stars": kinds[n % 2][1]} for n in range(count)]


def write(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has hardly learnt anything, with its data beside it."""
    folder = tmp_path_factory.mktemp("learn")
    made = recipe(folder, training={"max_steps": 2, "batch_size": 16, "learning_rate": 3e-3})
    return weitiao.train(made).path


@pytest.fixture
def run(trained: Path) -> Path:
    """The same, served itself."""
    (trained / PROMOTED).unlink(missing_ok=True)
    return trained


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


# ------------------------------------------------------------------------------------------------ the verb


def test_what_is_better_and_not_worse_is_promoted_and_rolled_back(run: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    made = learn(
        run, write(tmp_path / "new.csv", rows_of(120)), output=tmp_path / "better",
        replay="100%", margin=0.2, overrides=["training.max_steps=60", "training.epochs=9"],
    )  # fmt: skip
    assert made.gate.holds and made.promoted, made.gate.reasons
    assert current(run) == made.output == tmp_path / "better"
    assert {path: path.read_bytes() for path in before} == before  # nothing of the served run changed
    (change,) = Promotions.of(run).history
    assert change.gate["new"]["difference"]["low"] > 0 and change.before == "."
    assert (made.output / "report.json").is_file() and (made.output / "model/task.json").is_file()
    assert weitiao.evaluate(made.output).what == "test"
    kept = read_json(made.output / LEARNT)
    (made.output / LEARNT).write_text(json.dumps({"asked": kept["asked"]}), "utf-8")  # cut off behind the promotion
    assert learn(run, resume=made.output).promoted and len(Promotions.of(run).history) == 1
    assert read_json(made.output / LEARNT) == kept
    assert roll_back(run, why="a try") == run == current(run)


def test_rows_go_where_they_belong(run: Path, tmp_path: Path) -> None:
    old, test = (table(run.parent / f"{name}.csv") for name in ("train", "test"))
    new = [*rows_of(40), {**old[0], "stars": "mixed"}, {**test[0], "stars": "mixed"}]
    new += [{"review": f"film film {n}", "stars": "mixed"} for n in range(12)]
    made = learn(run, write(tmp_path / "new.csv", new), output=tmp_path / "out", replay=30, overrides=STILL)
    parts = {path.stem: lines(path) for path in (tmp_path / "out/rows").iterdir()}
    assert set(parts) == {"replayed", "new", "dev", "new-dev", "test", "rest"}
    assert len(parts["replayed"]) == 30
    labels = [row["label"] for row in parts["replayed"]]
    assert abs(labels.count("pos") - labels.count("neg")) <= 1
    held, learnt = ({row["text"] for row in parts[name]} for name in ("new-dev", "new"))
    assert not held & learnt and len(held) == made.rows["new-dev"] >= 13
    assert {row["label"] for row in parts["new-dev"]} == {"pos", "neg", "mixed"}
    everything = [row["text"] for name in ("replayed", "new", "rest") for row in parts[name]]
    assert old[0]["review"] in learnt | held or old[0]["review"] in {row["text"] for row in parts["dev"]}
    assert everything.count(old[0]["review"]) <= 1  # the correction stands in the old row's place
    assert test[0]["review"] not in learnt | held and made.rows["left_out"] >= 1
    assert all(row["origin"].rpartition(":")[2].isdecimal() for row in parts["replayed"])
    assert made.new_labels == ["mixed"]
    assert read_json(made.output / "model/task.json")["labels"] == ["neg", "pos", "mixed"]
    kept = read_json(made.output / LEARNT)
    assert kept["asked"]["ledger"]["read"] == len(new) and kept["gate"]["holds"] is made.gate.holds
    data = read_json(made.output / "data.json")
    assert data["ledger"]["read"] == sum(made.rows[name] for name in ("replayed", "new", "dev", "test"))

    again = learn(made.output, rows_of(20, seed=8), output=tmp_path / "again", replay="50%", overrides=STILL)
    pool = made.rows["replayed"] + made.rows["new"] + made.rows["rest"]
    assert again.rows["replayed"] + again.rows["rest"] == pool - again.rows["corrected"]
    assert again.rows["dev"] == made.rows["dev"] + made.rows["new-dev"]


def test_a_head_that_is_no_longer_new_does_not_learn_as_one(tmp_path: Path) -> None:
    model = {"name": str(tmp_path / "tiny"), "head": "mean"}
    first = weitiao.train(recipe(tmp_path, model=model, training={"max_steps": 2, "batch_size": 16}))
    assert load_recipe(first.path / "recipe.yaml", frame()).training.head_learning_rate == 2e-2
    made = learn(first.path, rows_of(20), output=tmp_path / "next", overrides=["training.max_steps=1"])
    assert load_recipe(made.output / "recipe.yaml", frame()).training.head_learning_rate is None


def test_a_model_that_learns_nothing_answers_as_before_and_is_not_promoted(run: Path, tmp_path: Path) -> None:
    made = learn(run, rows_of(60), output=tmp_path / "still", overrides=STILL)
    assert made.gate.old.served == made.gate.old.learnt and made.gate.new.served == made.gate.new.learnt
    assert made.gate.old.difference.low == 0.0
    assert "not shown to be better on the new rows" in made.gate.reasons[0]
    assert "old rows cannot show" in made.gate.reasons[1]
    assert not any("make sense" in note for note in made.notes)
    assert not made.promoted and current(run) == run and made.output.is_dir()


def test_corrections_of_a_store_are_learnt(run: Path, tmp_path: Path) -> None:
    store = FeedbackStore.open(tmp_path / "feedback.db")
    for row in rows_of(24):
        store.add(Feedback("run", "1", "classify", {"text": row["review"]}, {}, {"label": row["stars"]}, {}))
    for n in range(9):
        store.add(Feedback("tickets", "1", "classify", {"text": f"ticket {n}"}, {}, {"label": "billing"}, {}))
        store.add(Feedback("run", "1", "regress", {"text": f"old {n}"}, {}, {"score": 1.0}, {}))
    made = learn(run, f"sqlite:///{tmp_path / 'feedback.db'}", output=tmp_path / "out", overrides=STILL)
    assert made.rows["new"] + made.rows["new-dev"] == 24 and not made.new_labels
    FeedbackStore.open(tmp_path / "empty.db")
    with pytest.raises(Refused, match="there is no feedback yet on the model 'run'"):
        learn(run, f"sqlite:///{tmp_path / 'empty.db'}", output=tmp_path / "none")
    with pytest.raises(Refused, match=r"typo\.db: no such file; expected the database"):
        learn(run, tmp_path / "typo.db", output=tmp_path / "none")
    assert not (tmp_path / "typo.db").exists()


def test_corrections_of_an_artifact_of_the_run_are_learnt_when_it_is_named(run: Path, tmp_path: Path) -> None:
    store, url = FeedbackStore.open(tmp_path / "feedback.db"), f"sqlite:///{tmp_path / 'feedback.db'}"
    for row in rows_of(24):
        label = {"label": row["stars"]}
        store.add(Feedback("run-onnx-int8", "v1", "classify", {"text": row["review"]}, {}, label, {}))
    with pytest.raises(Refused, match="models with feedback: run-onnx-int8; --model NAME takes that of another"):
        learn(run, url, output=tmp_path / "none", overrides=STILL)
    made = learn(run, url, models=["run", "run-onnx-int8"], output=tmp_path / "out", promote=False, overrides=STILL)
    assert made.rows["new"] + made.rows["new-dev"] == 24


def test_what_the_gate_will_object_to_is_said_before_the_training(run: Path, tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    learn(run, rows_of(20), output=tmp_path / "out", overrides=STILL, margin=0.001, on_event=said.append)
    kinds = [each["kind"] for each in said]
    notes = [each["text"] for each in said[: kinds.index("step")] if each["kind"] == "note"]
    assert any("expect no promotion: only 5 new rows are held out" in note for note in notes)
    assert any("at least 3,000 could, or a wider margin" in note for note in notes)


def test_new_rows_of_which_none_can_be_used_are_refused_by_file_and_line(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text('review,stars\ngood,\n"bad', "utf-8")
    with pytest.raises(Refused, match=r"new\.csv: no row that can be used: .*line 2: no label; line 3: a quote opened"):
        learn(run, path, output=tmp_path / "out", overrides=STILL)
    assert not (tmp_path / "out").exists()


def test_old_rows_are_read_by_the_columns_that_the_recipe_names(tmp_path: Path) -> None:
    made = recipe(tmp_path, training={"max_steps": 2, "batch_size": 16})
    for name in ("train.csv", "test.csv"):
        text = (tmp_path / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("review", "原话", 1).replace("stars", "好坏", 1), "utf-8")
    made["data"]["fields"] = {"text": "原话", "label": "好坏"}
    served = weitiao.train(made).path
    store = FeedbackStore.open(tmp_path / "feedback.db")
    for number, row in enumerate(rows_of(24)):
        label = {"label": row["stars"]}
        store.add(Feedback("run", "v1", "classify", {"text": row["review"]}, {}, label, {}, request_id=str(number)))
    for new in (str(tmp_path / "feedback.db"), rows_in_the_tasks_own_columns(tmp_path)):
        output = tmp_path / f"learnt-{Path(new).suffix}"
        assert learn(served, new, output=output, promote=False, overrides=STILL).output == output


def rows_in_the_tasks_own_columns(folder: Path) -> str:
    rows = [{"text": row["review"], "label": row["stars"]} for row in rows_of(24, seed=9)]
    return str(write(folder / "own.csv", rows))


def test_a_store_that_is_read_again_holds_out_nothing_that_was_learnt(run: Path, tmp_path: Path) -> None:
    store, url = FeedbackStore.open(tmp_path / "feedback.db"), f"sqlite:///{tmp_path / 'feedback.db'}"

    def add(rows: Sequence[dict[str, str]]) -> None:
        for row in rows:
            store.add(Feedback("run", "1", "classify", {"text": row["review"]}, {}, {"label": row["stars"]}, {}))

    def texts(folder: Path, *names: str) -> set[str]:
        return {row["text"] for name in names for row in lines(folder / f"rows/{name}.jsonl")}

    add(rows_of(24))
    first = learn(run, url, output=tmp_path / "first", overrides=STILL)
    promote(run, first.output)
    learnt = lines(first.output / "rows/new.jsonl")
    other = {"pos": "neg", "neg": "pos"}
    add([{"review": row["text"], "stars": other[row["label"]]} for row in learnt[:3]])  # corrected once more
    add(rows_of(24, seed=9))
    second = learn(run, url, output=tmp_path / "second", overrides=STILL)
    assert not texts(second.output, "new-dev") & texts(first.output, "replayed", "new", "rest", "new-dev")
    assert not texts(second.output, "new", "replayed", "rest") & texts(first.output, "new-dev")
    assert texts(first.output, "new-dev") <= texts(second.output, "dev")
    assert {row["text"] for row in learnt[:3]} <= texts(second.output, "new")
    assert second.rows["left_out"] == first.rows["new-dev"] and second.rows["corrected"] == 3
    assert second.rows["known"] == first.rows["new"] - 3
    assert any("trained on already" in note for note in second.notes)
    promote(run, second.output)
    with pytest.raises(Refused, match="0 new rows can be measured on"):
        learn(run, url, output=tmp_path / "third", overrides=STILL)


def test_held_out_rows_set_no_threshold(run: Path, tmp_path: Path) -> None:
    made = learn(run, rows_of(40), output=tmp_path / "out", overrides=STILL)
    spec = load_recipe(made.output / "recipe.yaml", frame()).data
    named = {Path(file).stem for files in (spec.train, spec.dev, spec.test) for file in files or ()}
    assert named == {"replayed", "new", "dev", "test"} and made.rows["new-dev"] >= 10
    assert made.gate.new.rows == made.rows["new-dev"] and made.gate.old.rows == made.rows["dev"]


def test_an_interrupted_run_goes_on_to_its_gate(run: Path, tmp_path: Path) -> None:
    def stop(event: dict[str, Any]) -> None:
        if event.get("kind") == "phase" and event["text"] == "opening the model":
            raise Interrupted("stopped here")

    with pytest.raises(Interrupted):
        learn(run, rows_of(60), output=tmp_path / "cut", overrides=STILL, on_event=stop)
    assert "gate" not in read_json(tmp_path / "cut" / LEARNT)
    made = learn(run, resume=tmp_path / "cut")
    assert made.gate == learn(run, rows_of(60), output=tmp_path / "whole", overrides=STILL).gate


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"new": None}, "there is nothing to learn from"),
        ({"hold_out": 1.5}, "hold_out is 1.5; expected a share between 0 and 1"),
        ({"replay": "many"}, "replay is 'many'; expected a number of rows, or a share such as 20%"),
        ({"margin": 2.0}, "margin is 2.0; expected a share of at least 0 and below 1"),
        ({"weight": -1.0}, "weight is -1.0; expected 0 or more"),
        ({"margin": -1.0}, "margin is -1.0; expected a share of at least 0 and below 1"),
        ({"new": [{"review": "one", "stars": "pos"}]}, "1 new rows can be measured on; at least two"),
        ({"overrides": ["training.epochs=never"]}, "training.epochs"),
        ({"overrides": ["model.head=mean"]}, "to go on with; keep the head"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_left(
    run: Path, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    given: dict[str, Any] = {"new": rows_of(40), **changes}
    with pytest.raises(Refused, match=sentence):
        learn(run, output=tmp_path / "out", **given)
    if "model.head=mean" not in str(changes):  # found once weights are open, as with every run that breaks there
        assert not (tmp_path / "out").exists()


def test_what_cannot_go_on_is_refused_with_the_reason(run: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(run, tmp_path / "broken"))
    (broken / "model/model.onnx").touch()
    with pytest.raises(Refused, match="holds no weights that can be trained"):
        learn(broken, rows_of(40), output=tmp_path / "out")
    (broken / "model/model.onnx").unlink()
    card = read_json(broken / "model/task.json")
    card["network"]["additions"] = [{"name": "prompt"}]
    (broken / "model/task.json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(Refused, match="put parts of its own into the model"):
        learn(broken, rows_of(40), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recipe_continues_only_a_model_of_its_own_task(run: Path, tmp_path: Path) -> None:
    asked = recipe(run.parent, output=str(tmp_path / "out"))
    tiny = weitiao.check({**asked, "model": {**asked["model"], "continues": True}})
    assert [each.code for each in tiny.problems if each.severity == "error"] == ["continues"]
    assert "is no model/ folder of one" in str(tiny.problems)
    (tmp_path / "model").mkdir()
    card = {**read_json(run / "model/task.json"), "task": "tag"}
    (tmp_path / "model/task.json").write_text(json.dumps(card), "utf-8")
    other = weitiao.check({**asked, "model": {"name": str(tmp_path / "model"), "continues": True}})
    assert "answers the task tag, and the recipe is of the task classify" in str(other.problems)


def test_a_head_of_pairs_that_is_gone_on_with_reads_what_it_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny("bert", tmp_path / "tiny")
    rows = [{"text": f"room {n}", "text_pair": "fine", "score": float(n)} for n in range(16)]

    def trained(model: Path, output: str, *, continues: bool) -> Path:
        asked = {
            "task": "regress",
            "model": {"name": str(model), "head": "mean", "continues": continues},
            "data": {"train": "memory", "dev": None, "test": None},
            "training": {"max_steps": 1},
            "evaluation": {"resamples": 100},
            "output": str(tmp_path / output),
        }
        return weitiao.train(asked, data=rows).path / "model"

    with monkeypatch.context() as before:  # as runs were that were made when no head read texts apart
        before.setattr("weitiao.verbs.fitting.fit.sides_of", lambda _record: ())
        old = trained(tmp_path / "tiny", "old", continues=False)
    models = [old, trained(old, "on", continues=True), trained(tmp_path / "tiny", "new", continues=False)]
    assert [read_json(each / "task.json")["network"]["options"].get("pair") for each in models] == [None, None, True]


def test_an_export_with_the_tasks_own_columns_is_read(run: Path, tmp_path: Path) -> None:
    named = Path(shutil.copytree(run, tmp_path / "named"))
    text = (named / "recipe.yaml").read_text("utf-8")
    (named / "recipe.yaml").write_text(text.replace("fields: {}", "fields: {text: review, label: stars}"), "utf-8")
    export = [{"id": n, "text": row["review"], "label": [row["stars"]]} for n, row in enumerate(rows_of(40))]
    (tmp_path / "export.jsonl").write_text("".join(json.dumps(row) + "\n" for row in export), "utf-8")
    made = learn(named, tmp_path / "export.jsonl", output=tmp_path / "out", overrides=STILL)
    assert made.rows["new"] + made.rows["new-dev"] + made.rows["left_out"] == 40


def test_the_command_says_what_came_of_it(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = str(write(tmp_path / "new.csv", rows_of(60)))
    asked = ["learn", str(run), "--new", new, "--output", str(tmp_path / "out"), "--require", *STILL]
    assert main(asked) == 1
    out = capsys.readouterr().out
    assert "not promoted: it is not shown to be better on the new rows" in out and "the served run stays" in out
    assert main(["learn", str(run), "--roll-back"]) == 2
    assert "nothing to roll back" in capsys.readouterr().err
    assert main(["learn", str(run)]) == 2
    assert "--new is missing" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ the gate


def answered(gold: Sequence[str], served: Sequence[str], learnt: Sequence[str]) -> Answered:
    def said(labels: Sequence[str]) -> list[ClassifyPrediction]:
        return [
            ClassifyPrediction(labels=(label,), confidence=1.0, scores={label: 1.0}, abstained=False)
            for label in labels
        ]

    records = [
        ClassifyRecord(file="f", line=n, group="", text=f"t {n}", text_pair=None, labels=(label,))
        for n, label in enumerate(gold, start=1)
    ]
    return Answered(records=records, served=said(served), learnt=said(learnt))


def judged(old: Answered, new: Answered, **options: Any) -> Gate:
    return judge(TASKS["classify"](), ["a", "b", "c", "d"], old=old, new=new, spec=EvaluationSpec(), **options)


SAME = answered("ab" * 150, "ab" * 150, "ab" * 150)
BETTER = answered("cd" * 20, "aa" * 20, "cd" * 20)


def test_better_on_new_and_the_same_on_old_holds() -> None:
    gate = judged(SAME, BETTER)
    assert gate.holds and gate.new.difference.value == 1.0 and gate.old.difference.low == 0.0
    assert gate.association is not None and gate.association.value == 1.0


def test_a_loss_on_old_rows_within_the_margin_must_be_shown() -> None:
    gold = "ab" * 100
    worse = answered(gold, gold, "b" + gold[1:])  # one of 200 rows: half a point, but perhaps more
    gate = judged(worse, BETTER)
    assert gate.old.difference.value == pytest.approx(-0.005) and gate.old.difference.low <= -0.01
    assert "lose less than 0.01 on the old rows" in gate.reasons[0] and len(gate.reasons) == 1
    assert judged(worse, BETTER, margin=0.03).holds


def test_no_change_on_few_old_rows_proves_little() -> None:
    gate = judged(answered("ab" * 6, "ab" * 6, "ab" * 6), BETTER)
    assert gate.old.difference.low == gate.old.difference.high == 0.0
    (reason,) = gate.reasons
    assert reason.startswith("12 old rows cannot show that less than 0.01 is lost") and "at least 300 could" in reason
    assert judged(answered("ab" * 6, "ab" * 6, "ab" * 6), BETTER, margin=0.25).holds


def test_shuffled_labels_of_new_classes_are_not_promoted() -> None:
    rng = random.Random(1)
    learnt = "".join(rng.choices("cd", k=40))
    gate = judged(SAME, answered("cd" * 20, "ab" * 20, learnt))
    assert gate.new.difference.low > 0  # better than a model that cannot answer with them, and yet
    assert not gate.holds and "not shown to have more to do with the labels than chance" in gate.reasons[0]


def test_one_new_class_has_nothing_to_be_associated_with() -> None:
    gate = judged(SAME, answered("c" * 20, "a" * 20, "c" * 20))
    assert gate.association is None and gate.holds


def test_few_new_rows_say_too_little() -> None:
    gate = judged(SAME, answered("c" * 9, "a" * 9, "c" * 9))
    assert gate.reasons == ("only 9 new rows are held out, and fewer than 10 say too little",)


def test_replay_is_a_number_a_share_or_as_many_as_new() -> None:
    task = TASKS["classify"]()
    assert wanted("20%", 5, [None] * 50, task) == 10  # type: ignore[list-item]
    assert wanted(30, 5, [None] * 50, task) == 30  # type: ignore[list-item]
    assert wanted("80", 5, [None] * 50, task) == 50  # type: ignore[list-item]
