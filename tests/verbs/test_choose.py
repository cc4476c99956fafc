"""`weitiao choose`: the order and its reasons, what cannot be used, and every kind of answer that a probe can give."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from tests.verbs.trained import recipe, write

import weitiao
from weitiao.cli import main
from weitiao.errors import ProblemsFound, Refused
from weitiao.evaluation.intervals import Resampling, interval
from weitiao.metrics.classification import single_label_metrics
from weitiao.models.tiny import tiny
from weitiao.records import ClassifyPrediction, ClassifyRecord
from weitiao.text import load_tokenizer
from weitiao.verbs.choose import samples_of
from weitiao.verbs.choosing.candidates import coverage, unknown_id
from weitiao.verbs.choosing.ranking import Candidate, Ranking, Samples, by_score
from weitiao.verbs.choosing.scored import dev_is_share, way_to_more
from weitiao.verbs.preparing.frame import read_draft
from weitiao.verbs.preparing.preflight import Preflight, inspect


@pytest.fixture
def reviews(tmp_path: Path) -> dict[str, Any]:
    """A recipe; beside `tiny`, which knows the words of the texts, `strange` knows none of them."""
    made = recipe(tmp_path)
    tiny("bert", tmp_path / "strange", texts=["zzz qqq xxx"] * 3, seed=5)
    return made


def test_a_model_that_knows_the_words_comes_before_one_that_does_not(reviews: dict[str, Any], tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    ranking = weitiao.choose(reviews, [str(tmp_path / "strange"), str(tmp_path / "tiny")])
    first, second = ranking.candidates
    assert Path(first.name).name == "tiny"
    assert first.score is not None
    assert second.score is not None
    assert first.score.low > second.score.high
    assert (first.unknown or 0) < (second.unknown or 0)
    assert (ranking.metric, ranking.scored_on) == ("accuracy", "folds")
    assert (ranking.train_rows, ranking.scored_rows) == (128, 160)
    assert ranking.lead is not None
    assert ranking.lead.low > 0
    said = "\n".join(ranking.sentences)
    assert "stands first: Accuracy 0.8" in said
    assert "on 160 rows, each by a linear model on its frozen vectors that learnt from the other folds, 128" in said
    assert "is more than chance" in said
    assert "of the pieces of these texts are not in its vocabulary" in said
    assert "does not say under which licence" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_equal_models_are_not_told_apart(reviews: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "tiny", tmp_path / "again")
    ranking = weitiao.choose(reviews, [str(tmp_path / "tiny"), str(tmp_path / "again")])
    assert ranking.lead is not None
    assert (ranking.lead.low, ranking.lead.value, ranking.lead.high) == (0, 0, 0)
    assert any(sentence.startswith("no difference from") for sentence in ranking.sentences)


def test_what_cannot_be_used_stays_with_its_reason(reviews: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    shutil.copytree(tmp_path / "tiny", tmp_path / "torn")
    (tmp_path / "torn/model.safetensors").write_bytes(b"no weights")
    names = [str(tmp_path / "nowhere"), str(tmp_path / "broken"), str(tmp_path / "torn"), str(tmp_path / "tiny")]
    ranking = weitiao.choose(reviews, names)
    assert [bool(each.reason) for each in ranking.candidates] == [False, True, True, True]
    assert Path(ranking.candidates[0].name).name == "tiny"
    reasons = "\n".join(each.reason for each in ranking.candidates)
    assert "no such folder" in reasons
    assert "no config.json in it" in reasons


def test_without_a_probe_coverage_alone_decides(reviews: dict[str, Any], tmp_path: Path) -> None:
    ranking = weitiao.choose(reviews, [str(tmp_path / "strange"), str(tmp_path / "tiny")], rows=0)
    assert [Path(each.name).name for each in ranking.candidates] == ["tiny", "strange"]
    assert [each.score for each in ranking.candidates] == [None, None]
    assert ranking.sentences[0].startswith("ordered by coverage alone")


@pytest.mark.parametrize("dev", ["20%", None])
def test_every_row_but_those_of_test_is_answered_once(reviews: dict[str, Any], tmp_path: Path, dev: str | None) -> None:
    lines = (tmp_path / "train.csv").read_text("utf-8").splitlines()
    (tmp_path / "train.csv").write_text("\n".join([*lines, *lines[1:9]]) + "\n", "utf-8")  # some stand there twice
    reviews["data"]["dev"] = dev
    samples = samples_of(inspect(read_draft({**reviews, "model": ""}), full=False), 1000)
    assert {Path(record.file).name for record in samples.records} == {"train.csv"}
    assert sorted(samples.answered) == list(range(len(samples.records))) and len(samples.records) >= 160
    assert (len(samples.parts), samples.scored_on) == (5, "folds")
    for learnt, answered in samples.parts:
        assert sorted([*learnt, *answered]) == list(range(len(samples.records)))
        texts = [{samples.records[place].text for place in places} for places in (learnt, answered)]  # type: ignore[attr-defined]
        assert not texts[0] & texts[1]


def test_a_dev_of_its_own_is_what_is_answered(reviews: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "dev.csv", 24, seed=3)
    reviews["data"]["dev"] = str(tmp_path / "dev.csv")
    samples = samples_of(inspect(read_draft({**reviews, "model": ""}), full=False), 1000)
    ((learnt, answered),) = samples.parts
    assert {samples.records[place].file for place in learnt} == {str(tmp_path / "train.csv")}
    assert {samples.records[place].file for place in answered} == {str(tmp_path / "dev.csv")}
    ranking = weitiao.choose(reviews, [str(tmp_path / "tiny")])
    assert (ranking.scored_on, ranking.train_rows, ranking.scored_rows) == ("dev", 160, 24)
    assert (
        " on 24 rows of dev, by a linear model on its frozen vectors that learnt from 160 rows" in ranking.sentences[0]
    )


def test_samples_are_as_many_as_asked(reviews: dict[str, Any], tmp_path: Path) -> None:
    ranking = weitiao.choose(reviews, [str(tmp_path / "tiny")], rows=20)
    assert (ranking.train_rows, ranking.scored_rows) == (16, 20)


def test_fewer_different_texts_than_folds_are_refused(reviews: dict[str, Any], tmp_path: Path) -> None:
    lines = (tmp_path / "train.csv").read_text("utf-8").splitlines()
    (tmp_path / "train.csv").write_text("\n".join(lines[:5]) + "\n", "utf-8")
    reviews["data"]["dev"] = None
    with pytest.raises(Refused, match="5 folds need at least 5 different texts or groups; got 4; give more rows"):
        weitiao.choose(reviews, [str(tmp_path / "tiny")])
    assert weitiao.choose(reviews, [str(tmp_path / "tiny")], rows=0).candidates[0].reason == ""


@pytest.mark.parametrize("rows", [-5, -1, 1, 5])
def test_too_few_rows_for_a_probe_are_refused(reviews: dict[str, Any], tmp_path: Path, rows: int) -> None:
    with pytest.raises(Refused, match=f"`rows` is {rows}; expected at least 6, or 0 for no probe"):
        weitiao.choose(reviews, [str(tmp_path / "tiny")], rows=rows)


def looked_at(reviews: dict[str, Any], tmp_path: Path, count: int, data: dict[str, Any]) -> Preflight:
    """The recipe with so many training rows; of `dev.csv` there are 40."""
    write(tmp_path / "train.csv", count, seed=1)
    write(tmp_path / "dev.csv", 40, seed=3)
    del reviews["data"]["dev"], reviews["data"]["test"]
    if data.get("dev") == "dev.csv":
        data = {**data, "dev": str(tmp_path / "dev.csv")}
    reviews["data"] |= data
    return inspect(read_draft({**reviews, "model": ""}), full=False)


@pytest.mark.parametrize(
    ("count", "data", "rows", "said"),
    [
        (60, {"dev": "45%"}, 1000, ["label more: rows to learn from and to score, taken together, are only 60"]),
        (60, {"dev": None}, 1000, ["label more rows of train"]),
        (400, {"dev": None, "limit": {"train": 30}}, 1000, ["raise data.limit.train, which is 30"]),
        (400, {"dev": "dev.csv"}, 1000, ["label more rows of dev"]),
        (400, {"dev": "dev.csv", "limit": {"dev": 30}}, 1000, ["raise data.limit.dev, which is 30"]),
        (400, {}, 6, ["raise --rows, by which 6 of 400 rows were scored"]),
        (400, {"dev": "dev.csv"}, 20, ["raise --rows, by which 20 of 40 rows were scored", "label more rows of dev"]),
        (60, {}, 60, ["label more: rows to learn from and to score, taken together, are only 60"]),
        (400, {}, 1000, []),
        (400, {}, 100, []),
    ],
)
def test_the_advice_names_what_limits_the_rows_to_score(
    reviews: dict[str, Any], tmp_path: Path, count: int, data: dict[str, Any], rows: int, said: list[str]
) -> None:
    assert samples_of(looked_at(reviews, tmp_path, count, data), rows).more == said


@pytest.mark.parametrize(
    ("count", "data", "said"),
    [
        (60, {"dev": "45%"}, "label more: rows to learn from and to score, taken together, are only 60"),
        (400, {}, "give more, such as data.dev=25%"),
        (400, {"dev": "dev.csv"}, "label more rows of dev"),
        (400, {"dev": "45%", "limit": {"dev": 30}}, "raise data.limit.dev, which is 30"),
    ],
)
def test_a_curve_is_told_the_share_that_would_do(
    reviews: dict[str, Any], tmp_path: Path, count: int, data: dict[str, Any], said: str
) -> None:
    assert way_to_more(looked_at(reviews, tmp_path, count, data), "dev") == said


def test_rows_of_a_file_that_are_dev_by_its_column_are_no_share(reviews: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "train.csv", 160, seed=1)
    lines = (tmp_path / "train.csv").read_text("utf-8").splitlines()
    reviews["data"] = {"file": str(tmp_path / "train.csv"), "test": "20%"}
    assert dev_is_share(inspect(read_draft({**reviews, "model": ""}), full=False))
    splits = ["split", *["dev" if row % 10 == 0 else "train" for row in range(len(lines) - 1)]]
    marked = "\n".join(f"{line},{split}" for line, split in zip(lines, splits, strict=True))
    (tmp_path / "train.csv").write_text(marked + "\n", "utf-8")
    found = inspect(read_draft({**reviews, "model": ""}), full=False)
    assert not dev_is_share(found)
    assert samples_of(found, 1000).more == ["label more rows of dev"]


@pytest.mark.parametrize("kind", [str, Path])
def test_one_model_needs_no_list(reviews: dict[str, Any], tmp_path: Path, kind: Any) -> None:
    ranking = weitiao.choose(reviews, kind(tmp_path / "tiny"), rows=0)
    assert [each.name for each in ranking.candidates] == [str(tmp_path / "tiny")]


@pytest.mark.parametrize("models", ["", " ", ["starter:en", ""]])
def test_an_empty_name_is_refused(reviews: dict[str, Any], models: Any) -> None:
    with pytest.raises(Refused, match=r"the name of a model is empty; expected \./folder, starter:NAME"):
        weitiao.choose(reviews, models)


@pytest.mark.parametrize("rows", [0, 1000])
def test_where_all_fail_only_the_reasons_are_told(
    reviews: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    YAML().dump(reviews, Path("recipe.yaml"))
    words = ["choose", "recipe.yaml", "--model", "here", "--model", "there", "--rows", str(rows)]
    assert main(words) == 2
    first, *others = capsys.readouterr().out.splitlines()
    assert first == "none of these models can be used"
    assert [each.split(":")[0] for each in others] == ["here cannot be used", "there cannot be used"]


def test_faulty_rows_are_refused_before_any_model_is_looked_at(reviews: dict[str, Any], tmp_path: Path) -> None:
    reviews["data"]["train"] = str(tmp_path / "nowhere.csv")
    with pytest.raises(ProblemsFound, match=r"nowhere\.csv"):
        weitiao.choose(reviews, [str(tmp_path / "tiny")])


def test_no_model_at_all_is_refused(reviews: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weitiao.verbs.choose.installed_starters", list)
    with pytest.raises((Refused, ProblemsFound), match="model"):
        weitiao.choose({key: value for key, value in reviews.items() if key != "model"})


def test_the_recipes_model_and_the_starters_are_ranked_by_default(
    reviews: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weitiao.verbs.choose.installed_starters", lambda: [str(tmp_path / "strange")])
    ranking = weitiao.choose(reviews, rows=0)
    assert [Path(each.name).name for each in ranking.candidates] == ["tiny", "strange"]


def test_a_recipe_without_a_model_may_be_given_some(reviews: dict[str, Any], tmp_path: Path) -> None:
    del reviews["model"]
    ranking = weitiao.choose(reviews, [str(tmp_path / "tiny")])
    assert [each.reason for each in ranking.candidates] == [""]


def ranked(rows: int, sizes: dict[str, int], right: set[str], wrong: dict[str, int] | None = None) -> Ranking:
    """Models of these sizes, of which some answer all of so many rows rightly, but for some, and the others none."""
    records = [ClassifyRecord(file="a", line=n, group="", text="t", text_pair=None, labels=("a",)) for n in range(rows)]
    made = {
        label: ClassifyPrediction(labels=(label,), confidence=1.0, scores={"a": 1.0}, abstained=False) for label in "ab"
    }
    answers = {name: [made["a" if name in right else "b"]] * rows for name in sizes}
    for name, count in (wrong or {}).items():
        answers[name][:count] = [made["b"]] * count
    metric = single_label_metrics(["a", "b"])[0]
    candidates = [
        Candidate(name, parameters=size, score=interval(metric, answers[name], records, Resampling(100)))
        for name, size in sizes.items()
    ]
    return by_score(
        [*candidates, Candidate("gone", "missing")],
        answers,
        Samples([*records, *records], [(range(rows), range(rows, 2 * rows))], ["label more"]),
        metric,
        Resampling(100),
    )


@pytest.mark.parametrize(("rows", "few", "shown"), [(2, True, False), (6, True, True), (100, False, True)])
def test_few_scored_rows_are_warned_of_and_the_fewest_show_no_lead(rows: int, few: bool, shown: bool) -> None:
    said = "\n".join(ranked(rows, {"good": 1, "bad": 2}, {"good"}).sentences)
    words = f"{rows} rows to score are few: below 100 a share is known to within 10 points at best; label more"
    assert (words in said) is few
    assert ("good stands first: Accuracy 1.000" in said) is (rows >= 6)
    assert ("good stands first, which says nothing of so few rows: Accuracy 1.000" in said) is (rows < 6)
    assert ("its lead over bad is more than chance" in said) is shown
    assert ("no difference from bad is shown" in said) is not shown


def test_the_best_of_a_metric_is_the_highest_and_of_equals_the_smaller() -> None:
    ranking = ranked(20, {"worse": 1, "big": 9, "small": 2}, {"big", "small"})
    assert [each.name for each in ranking.candidates] == ["small", "big", "worse", "gone"]


@pytest.mark.parametrize(("wrong", "first"), [(1, "small"), (2, "big"), (40, "big")])
def test_a_smaller_model_within_half_a_point_stands_first(wrong: int, first: str) -> None:
    """1 of 300 rows is 0.3 points and no more than chance; 2 are 0.7."""
    ranking = ranked(300, {"big": 9, "small": 2, "tiny": 1}, {"big", "small"}, {"small": wrong})
    assert [each.name for each in ranking.candidates[:2]] == [first, "small" if first == "big" else "big"]
    assert ranking.lead is not None and (ranking.lead.value < 0) is (first == "small")
    said = "\n".join(ranking.sentences)
    assert ("small is smaller and as good as big, as far as a probe can tell: -0.003 [" in said) is (first == "small")


def test_a_vocabulary_without_unknown_pieces_has_none(tmp_path: Path) -> None:
    assert unknown_id(load_tokenizer(tiny("bert", tmp_path / "bert"))) is not None
    bytes_only = load_tokenizer(tiny("gpt2", tmp_path / "gpt2"))
    found = coverage(bytes_only, ["𒀀 é 好"])
    assert found.unknown == 0
    assert found.per_character > 1


def test_chinese_has_no_pieces_a_word(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny("bert", tmp_path / "bert"))
    assert coverage(tokenizer, ["味道很好，下次再来"]).per_word is None
    assert coverage(tokenizer, ["good food"]).per_word is not None


SENTENCES = [
    f"{adjective} {noun} number {n}" for n in range(12) for adjective in ("good", "bad") for noun in ("film", "room")
]


def rows_of(task: str) -> tuple[Any, list[dict[str, Any]]]:
    """(task, rows) in which the words tell the answer."""
    good = [text.startswith("good") for text in SENTENCES]
    pairs = zip(SENTENCES, good, strict=True)
    if task == "regress":
        return task, [{"text": text, "score": 3.0 * fine} for text, fine in pairs]
    if task == "embed":
        return {"name": "embed", "loss": "cosent"}, [
            {"text": text, "text_pair": f"good film {n}", "score": float(fine)} for n, (text, fine) in enumerate(pairs)
        ]
    if task == "pairs":
        return "classify", [
            {"text": text, "text_pair": f"good film {n}", "label": "same" if fine else "other"}
            for n, (text, fine) in enumerate(pairs)
        ]
    if task == "labels":
        return {"name": "classify", "multi_label": True}, [
            {"text": text, "label": [*(["fine"] if fine else []), "film" if "film" in text else "room"]}
            for text, fine in pairs
        ]
    if task == "relate":
        return task, [
            {"text": f"<e1>{text.split()[0]}</e1> is the <e2>{text.split()[1]}</e2> {n}", "label": "A" if fine else "B"}
            for n, (text, fine) in enumerate(pairs)
        ]
    tagged = [(text.split(), "B-GOOD" if fine else "O") for text, fine in pairs]
    name: Any = {"name": "tag", "crf": True} if task == "crf" else "tag"
    return name, [{"tokens": words, "tags": [tag, *["O"] * (len(words) - 1)]} for words, tag in tagged]


@pytest.mark.parametrize("task", ["regress", "embed", "pairs", "labels", "relate", "tag", "crf"])
def test_each_kind_of_answer_is_probed_with_the_metric_of_its_task(task: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    tiny("bert", tmp_path / "tiny", texts=SENTENCES)
    name, rows = rows_of(task)
    made = {"task": name, "model": str(tmp_path / "tiny"), "data": {"train": "memory", "dev": "33%"}}
    ranking = weitiao.choose({**made, "evaluation": {"resamples": 100}}, [made["model"]], data={"train": rows})
    (candidate,) = ranking.candidates
    assert candidate.reason == ""
    assert candidate.score is not None
    assert np.isfinite(candidate.score.value)
    if task in ("regress", "pairs", "labels", "relate", "tag", "crf"):
        assert candidate.score.value > 0.8
    assert candidate.ms_a_text is not None


def test_a_task_without_a_probe_says_so(tmp_path: Path) -> None:
    tiny("bert", tmp_path / "tiny", texts=SENTENCES)
    rows = [{"question": "what", "context": text, "answer": text.split()[0], "answer_start": 0} for text in SENTENCES]
    made = {"task": "answer", "model": str(tmp_path / "tiny"), "data": {"train": "memory", "dev": "33%"}}
    ranking = weitiao.choose(made, [str(tmp_path / "tiny")], data={"train": rows})
    assert ranking.sentences[0] == (
        "no linear model on frozen vectors can answer the task 'answer', so nothing was probed"
    )


def test_the_command_prints_a_table_and_writes_where_it_is_told(
    reviews: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    YAML().dump(reviews, Path("recipe.yaml"))
    words = ["choose", "recipe.yaml", "--model", "tiny", "--model", "nowhere"]
    assert main([*words, "--output", "ranking.json"]) == 0
    said = capsys.readouterr().out
    assert "tiny   0.8" in said
    assert "nowhere cannot be used: model 'nowhere': no such folder" in said
    assert main([*words, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    kept = json.loads((tmp_path / "ranking.json").read_text("utf-8"))
    assert [each["name"] for each in shown["candidates"]] == [each["name"] for each in kept["candidates"]]
    assert shown["candidates"][0]["score"]["value"] > 0.7
