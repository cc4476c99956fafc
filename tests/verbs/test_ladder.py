"""compress --ladder: artifacts that are kept and measured, and what could not be made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.verbs import test_compress as compress_tests
from tests.verbs.trained import recipe

import weitiao
from weitiao.artifact import read_json
from weitiao.cli import main
from weitiao.compression import STEP_OPTIONS, STEPS
from weitiao.compression.ladder import DEFAULT, Ladder
from weitiao.errors import ProblemsFound, Refused
from weitiao.verbs.compressing.timing import Clocked, in_turn, times
from weitiao.verbs.ladder import ladder

MILD, HARSH = "sparsify:share=0.1", "sparsify:share=0.1+sparsify:share=0.97"
UNFIT = "onnx+sparsify"  # no step of weights works on a graph


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = recipe(tmp_path_factory.mktemp("data"), evaluation={"resamples": 100, "baselines": []})
    return weitiao.train(made).path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "reviews"))


def test_every_artifact_is_kept_and_measured_beside_the_run(run: Path, tmp_path: Path) -> None:
    climbed = ladder(run, [MILD, HARSH, UNFIT], rounds=2)
    assert climbed.path == tmp_path / "reviews-ladder"
    found = climbed.ladder
    assert [each.name for each in found.rungs] == ["run", MILD, HARSH]
    own, mild, harsh = found.rungs
    assert (own.difference, own.beside, own.times, own.score.value) == (None, None, 1.0, 1.0)
    assert mild.within and not harsh.within
    assert harsh.difference is not None and harsh.difference.value == pytest.approx(harsh.score.value - 1.0)
    assert all(each.speed.p50 <= each.speed.p95 and each.speed.texts_per_second > 0 for each in found.rungs)
    assert mild.beside is not None and mild.bytes == sum(
        path.stat().st_size for path in (climbed.path / mild.path / "model").rglob("*")
    )
    assert [each.name for each in found.left_out] == [UNFIT]
    assert "but onnx leaves one in onnx" in found.left_out[0].reason
    assert Ladder.model_validate(read_json(climbed.path / "ladder.json")) == found
    assert (climbed.path / "ladder.html").read_text("utf-8").startswith("<!doctype html>")
    history = read_json(climbed.path / harsh.path / "compression.json")
    assert [each["options"]["share"] for each in history["steps"]] == [0.1, 0.97] and history["accepted"]
    assert weitiao.load(climbed.path / mild.path).predict(["good film"])[0].labels == ("pos",)
    with pytest.raises(Refused, match="a ladder is already there"):
        ladder(run, [MILD])


def test_every_mistake_is_told_before_anything_is_made(run: Path) -> None:
    with pytest.raises(ProblemsFound) as refused:
        ladder(run, [MILD, "onxx", "sparsify:share=3+int8"])
    unknown, wrong = map(str, refused.value.problems)
    assert "unknown step 'onxx'" in unknown and "expected a number < 1" in wrong
    assert not run.with_name("reviews-ladder").exists()


def test_rungs_that_begin_alike_share_their_first_steps_and_an_interrupted_ladder_goes_on(run: Path) -> None:
    said: list[str] = []
    ladder(run, [MILD, HARSH], rounds=1, on_event=lambda event: said.append(event["text"]))
    assert [each for each in said if each.startswith("step ")] == [
        "step 1 of 1: sparsify:share=0.1", "step 1 of 1: sparsify:share=0.97"
    ]  # fmt: skip
    (run.parent / "reviews-ladder/ladder.json").unlink()
    said.clear()
    with pytest.raises(Refused, match="holds something else than a ladder of"):
        ladder(run, [MILD])  # ladder.html is no artifact
    (run.parent / "reviews-ladder/ladder.html").unlink()
    assert (
        len(ladder(run, [MILD, HARSH], rounds=1, on_event=lambda event: said.append(event["text"])).ladder.rungs) == 3
    )
    assert not [each for each in said if each.startswith("step ")]


def test_a_broken_promise_is_outside_though_the_score_stays(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, step in (("copy", "Copy"), ("biased", "Biased")):
        monkeypatch.setitem(STEPS._entries, name, f"{compress_tests.__name__}:{step}")
        monkeypatch.setitem(STEP_OPTIONS._entries, name, f"{compress_tests.__name__}:{step}Options")  # type: ignore[attr-defined]
    climbed = ladder(run, ["copy", "biased"], rounds=1)
    _own, kept, broken = climbed.ladder.rungs
    assert kept.within and not kept.objections
    assert broken.difference is not None and broken.difference.value == 0.0 and not broken.within
    (objection,) = broken.objections
    assert objection == "an output differs by 0.01, and the step promises the same answers within 0.0001"
    page = (climbed.path / "ladder.html").read_text("utf-8")
    assert page.count("(outside the tolerance)") == 1 and objection in page


def test_the_command_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["compress", str(run), "--ladder", "--steps", MILD, "--steps", UNFIT]
    assert main([*argv, "--output", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().out
    assert "+0.0 [+0.0," in said and f"not possible: {UNFIT}: " in said
    assert f"ladder: {tmp_path / 'a' / 'ladder.html'}" in said
    assert main([*argv, "--json", "--output", str(tmp_path / "b")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(tmp_path / "b") and [each["name"] for each in told["rungs"]] == ["run", MILD]
    assert main(["compress", str(run), "sparsify", "--ladder"]) == 2
    assert "--ladder takes its ways from --steps" in capsys.readouterr().err
    assert main(["compress", str(run), "--steps", "sparsify"]) == 2
    assert "--steps names the ways of --ladder" in capsys.readouterr().err


def test_both_models_are_measured_in_each_round(run: Path) -> None:
    first, second = weitiao.load(run), weitiao.load(run)
    records = first.records(["good film", "bad room", "nice food"])
    one, other = in_turn(first, second, records, 3)
    assert len(one.latencies) == len(other.latencies) == 9 and len(one.seconds) == len(other.seconds) == 3
    assert times(one, other) > 0


def test_times_is_the_median_of_the_rounds() -> None:
    fast, slow = Clocked([0.1], [1.0, 2.0, 4.0], 10), Clocked([0.1], [3.0, 4.0, 4.0], 10)
    assert times(fast, slow) == 2.0
    assert fast.speed().texts_per_second == 5.0
    fast.add(slow)
    assert fast.seconds == [1.0, 2.0, 4.0, 3.0, 4.0, 4.0]


def test_the_ladder_of_the_house_is_well_written() -> None:
    from weitiao.compression.ladder import words_of
    from weitiao.compression.words import understood

    for rung in DEFAULT:
        assert understood(words_of(rung))[1] == [], rung
    assert understood(words_of("prune:fnf=0.25+int8"))[1]
