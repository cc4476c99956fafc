"""Measuring a run again: the rows, the note, and when it is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from weitiao import Run, evaluate
from weitiao.cli import main
from weitiao.data import load_data
from weitiao.errors import Refused
from weitiao.recipe import load_recipe
from weitiao.serving.predictor import Predictor
from weitiao.verbs.evaluate import own_data
from weitiao.verbs.preparing.frame import frame, task_of


def rows(count: int, *, start: int = 0) -> list[dict[str, str]]:
    return [
        {"text": f"row number {n} is fine", "label": "neg" if n % 3 else "pos"} for n in range(start, start + count)
    ]


def unlike(count: int) -> list[dict[str, str]]:
    """Rows that have nothing in common with `rows`, nor with each other."""
    rng = random.Random(5)
    letters = "bcdfghjklmnpqrstvwxyz"
    return [{"text": "".join(rng.choices(letters, k=30)), "label": "neg" if n % 3 else "pos"} for n in range(count)]


def write_csv(path: Path, found: list[dict[str, str]]) -> None:
    lines = [",".join(found[0]), *(",".join(row.values()) for row in found)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def accuracy(run: Path, texts: list[str], gold: list[str]) -> float:
    predictor = Predictor.load(run)
    answers = predictor.predict(predictor.records(texts))
    return sum(answer.labels == (label,) for answer, label in zip(answers, gold, strict=True)) / len(gold)


def test_the_runs_own_test_rows(run_with_data: Path) -> None:
    run = Run(run_with_data)
    test = own_data(run.folder, load_recipe(run.folder.recipe, frame())).records["test"]
    evaluation = run.evaluate()
    assert evaluation.what == "test"
    assert evaluation.note == "measured on the run's own test rows"
    assert evaluation.report.rows == len(test) == 8
    expected = accuracy(run_with_data, [each.text for each in test], [each.label for each in test])
    assert evaluation.report.metrics["accuracy"].value == pytest.approx(expected)
    assert set(evaluation.report.baselines) == {"majority", "tfidf"}


def test_a_new_file(run_with_data: Path) -> None:
    new = unlike(12)
    write_csv(run_with_data.parent / "new.csv", new)
    evaluation = evaluate(run_with_data, data="new.csv")
    assert evaluation.what == "new.csv"
    assert evaluation.note == "measured on 12 of 12 rows of new.csv"
    assert evaluation.problems == []
    expected = accuracy(run_with_data, [row["text"] for row in new], [row["label"] for row in new])
    assert evaluation.report.metrics["accuracy"].value == pytest.approx(expected)


def test_rows_in_memory_count_the_same_as_a_file(run_with_data: Path) -> None:
    new = rows(12, start=100)
    write_csv(run_with_data.parent / "new.csv", new)
    from_file = evaluate(run_with_data, data="new.csv").report
    from_memory = evaluate(run_with_data, data=new).report
    assert from_memory.metrics == from_file.metrics
    assert from_memory.split == "memory"


def test_rows_left_out_and_rows_known_from_training_are_told(
    run_with_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = own_data(Run(run_with_data).folder, load_recipe(run_with_data / "recipe.yaml", frame())).records["train"]
    known = [{"text": train[row].text, "label": train[row].label} for row in (0, 1)]
    close = [{"text": train[2].text + "r", "label": train[2].label}]
    write_csv(run_with_data.parent / "new.csv", [*unlike(6), {"text": "", "label": "neg"}, *known, *close])
    assert main(["evaluate", str(run_with_data), "--data", "new.csv", "--json"]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    codes = {each["code"]: each for each in told["problems"]}
    assert set(codes) == {"dropped-rows", "exact-leak", "near-duplicate-leak"}
    assert codes["exact-leak"]["message"].startswith(
        "2 of 9 rows of new are also in train; the first is at reviews.csv:"
    )
    assert (codes["exact-leak"]["file"], codes["exact-leak"]["line"]) == ("new.csv", 9)
    assert told["note"] == (
        "measured on 9 of 10 rows of new.csv; some of them are also in the training rows (see the warnings), "
        "so the figures are optimistic"
    )
    assert "warning: new.csv:9: 2 of 9 rows" in captured.err
    assert "1 of 10 rows cannot be used" in captured.err


def test_labels_that_the_model_does_not_know_are_one_warning(
    run_with_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = [*unlike(6), {"text": "quite another", "label": "negg"}, {"text": "a third kind", "label": "neutral"}]
    write_csv(run_with_data.parent / "new.csv", new)
    assert main(["evaluate", str(run_with_data), "--data", "new.csv", "--json"]) == 0
    captured = capsys.readouterr()
    said = (
        "2 of 8 rows have a label that the model does not know, and count as wrong: "
        "'negg' (1; did you mean 'neg'?), 'neutral' (1)"
    )
    assert f"warning: new.csv:8: {said}" in captured.err
    told = json.loads(captured.out)
    (problem,) = told["problems"]
    assert (problem["code"], problem["message"]) == ("unknown-label", said)
    assert [(row["line"], row["note"]) for row in problem["rows"]] == [(8, "negg"), (9, "neutral")]
    right = accuracy(run_with_data, [row["text"] for row in new[:6]], [row["label"] for row in new[:6]]) * 6
    assert told["report"]["metrics"]["accuracy"]["value"] == pytest.approx(right / 8)


def test_changed_data_is_refused_for_the_own_rows_only(run_with_data: Path) -> None:
    write_csv(run_with_data.parent / "reviews.csv", rows(44))
    with pytest.raises(Refused, match=r"the data changed since .*\(splits: .*train\); name the file .* with --data"):
        evaluate(run_with_data)
    write_csv(run_with_data.parent / "new.csv", rows(12, start=100))
    evaluation = evaluate(run_with_data, data="new.csv")
    assert evaluation.report.baselines == {}
    assert evaluation.note.endswith(
        "; without baselines or a search for leaks, because the run's own data is gone or changed"
    )


def test_missing_data_is_named(run_with_data: Path) -> None:
    (run_with_data.parent / "reviews.csv").unlink()
    with pytest.raises(Refused, match=r"reviews\.csv: no such file"):
        evaluate(run_with_data)


def test_without_a_test_split_the_report_says_so(run_with_data: Path) -> None:
    recipe = run_with_data / "recipe.yaml"
    recipe.write_text(recipe.read_text("utf-8").replace("test: 20%", "test:"), "utf-8")
    loaded = load_recipe(recipe, frame())
    task = task_of(loaded)
    data = load_data(loaded.data, fields=task.fields, read=task.read, answer=task.answer, surface=task.surface)
    (run_with_data / "data.json").write_text(json.dumps(data.to_json()), "utf-8")
    evaluation = evaluate(run_with_data)
    assert evaluation.what == "dev"
    assert "there is no test split; measured on dev" in evaluation.note
    assert evaluation.report.note.startswith("There is no test split")


def test_the_run_folder_is_left_as_it_is(run_with_data: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run_with_data.rglob("*")}
    evaluate(run_with_data)
    assert {path: path.stat().st_mtime_ns for path in run_with_data.rglob("*")} == before
    assert not (run_with_data.parent / "new.csv").exists()


def test_a_file_without_labels_is_refused(run_with_data: Path) -> None:
    write_csv(run_with_data.parent / "new.csv", [{"text": "a"}, {"text": "b"}])
    with pytest.raises(Refused, match="no column for the field `label`"):
        evaluate(run_with_data, data="new.csv")
