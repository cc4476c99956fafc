"""compress: an artifact that every other verb takes, or nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from tests.verbs.trained import recipe, write

import weitiao
from weitiao.artifact import read_json, write_json
from weitiao.cli import main
from weitiao.compression import STEP_OPTIONS, STEPS
from weitiao.compression.base import Facts, Source, Step, StepOptions
from weitiao.compression.history import history_of
from weitiao.errors import OutsideTolerance, Refused
from weitiao.verbs.compress import compress
from weitiao.verbs.compressing.rows import read_texts


class CopyOptions(StepOptions):
    """A step that changes nothing."""

    exact: ClassVar[bool] = True


class BiasedOptions(CopyOptions):
    """A step that says it changes nothing and does."""


class Copy(Step):
    """Writes its source again."""

    def run(self, source: Source, target: Path) -> Facts:
        shutil.copytree(source.folder, target)
        return {"train": len(source.records("train")), "texts": source.texts}


class Biased(Copy):
    """Moves every output a little."""

    def run(self, source: Source, target: Path) -> Facts:
        from safetensors.numpy import load_file, save_file

        shutil.copytree(source.folder, target)
        tensors = load_file(target / "model.safetensors")
        save_file({**tensors, "classifier.bias": tensors["classifier.bias"] + 0.01}, target / "model.safetensors")
        return {}


@pytest.fixture
def more_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, step in (("copy", "Copy"), ("biased", "Biased")):
        monkeypatch.setitem(STEPS._entries, name, f"{__name__}:{step}")
        monkeypatch.setitem(STEP_OPTIONS._entries, name, f"{__name__}:{step}Options")  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weitiao.train(recipe(tmp_path_factory.mktemp("data"), evaluation={"resamples": 200, "baselines": []})).path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """The trained run, in a folder of the test's own."""
    return Path(shutil.copytree(trained, tmp_path / "reviews"))


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def test_the_artifact_is_taken_by_every_other_verb(run: Path, tmp_path: Path) -> None:
    made = compress(run, ["sparsify:share=0.1"])
    assert made.path == tmp_path / "reviews-sparsify" and names(tmp_path) == {"reviews", "reviews-sparsify"}
    assert names(made.path) == {
        "README.md", "compression.json", "data.json", "drift.json", "log.jsonl", "model", "predictions.jsonl",
        "recipe.yaml", "report.html", "report.json",
    }  # fmt: skip
    assert read_json(made.path / "model/task.json")["name"] == "reviews-sparsify"
    first = weitiao.load(made.path).predict(["good film", "bad room"])
    assert [each.labels for each in first] == [("pos",), ("neg",)]
    again = weitiao.evaluate(made.path).report
    assert made.report is not None and again.metrics == made.report.metrics
    assert made.report.timing == weitiao.Run(run).report.timing
    comparison = weitiao.compare(run, made.path)
    assert comparison.metrics["accuracy"].b == made.report.metrics["accuracy"]
    assert weitiao.predict(made.path, ["good film"])[0].labels == ("pos",)

    from weitiao.serving.desk import Desk, Limits

    answer = Desk([weitiao.load(made.path)], Limits()).answer("reviews-sparsify", b'{"text": "good film"}')
    assert "pos" in json.dumps(answer)


@pytest.mark.usefixtures("more_steps")
def test_compression_json_tells_everything_since_training(run: Path, tmp_path: Path) -> None:
    once = compress(run, ["sparsify:share=0.1", "copy"], texts=["a b"])
    history = history_of(weitiao.Run(once.path).folder)
    assert history is not None
    assert [each.name for each in history.steps] == ["sparsify", "copy"]
    assert history.steps[0].options == {"share": 0.1} and history.steps[0].facts["matrices"] == 12
    assert history.steps[1].facts == {"train": 128, "texts": ["a b"]}
    first, second = (each.comparison for each in history.steps)
    assert first is not None and second is not None
    assert (first.rows, first.split, first.agreement, first.since) == (32, "dev", 1.0, None)
    assert 0 < (first.largest or 0) < 0.1 and second.largest == 0.0 and second.since is not None
    assert not history.accepted and history.source == str(run) and history.stamp["machine"]
    assert once.bytes_after == sum(each.stat().st_size for each in (once.path / "model").rglob("*"))
    again = compress(once.path, ["copy"], output=tmp_path / "again")
    later = history_of(weitiao.Run(again.path).folder)
    assert later is not None
    assert [each.name for each in later.steps] == ["sparsify", "copy", "copy"]
    assert (later.source, later.bytes) == (history.source, history.bytes)
    card = (again.path / "README.md").read_text("utf-8")
    assert "## Compression" in card and "`sparsify` (share=0.1)." in card and "it is not faster" in card


def test_outside_the_tolerance_nothing_is_left_and_accept_is_recorded(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["compress", str(run), "sparsify:share=0.99"]
    assert main(argv) == 1
    said = capsys.readouterr().err
    assert "error: sparsify:share=0.99: Accuracy on 32 rows of dev differs by -0." in said
    assert "it may fall by 0.005 at most" in said and "Nothing was kept. Keep it all the same with --accept" in said
    assert names(tmp_path) == {"reviews"}
    assert main([*argv, "--accept", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["accepted"] is True and told["steps"][0]["comparison"]["objections"]
    kept = read_json(tmp_path / "reviews-sparsify/compression.json")
    assert kept["accepted"] is True and kept["steps"] == told["steps"]
    assert "kept by --accept" in (tmp_path / "reviews-sparsify/README.md").read_text("utf-8")
    assert main([*argv, "--tolerance", "90%", "--output", str(tmp_path / "wide")]) == 0
    assert read_json(tmp_path / "wide/compression.json")["accepted"] is False


@pytest.mark.usefixtures("more_steps")
def test_a_step_that_breaks_its_promise_is_outside_its_bound(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        OutsideTolerance, match=r"biased: an output differs by 0\.01, .* within 0\.0001\. Nothing was kept"
    ):
        compress(run, ["copy", "biased"])
    assert names(tmp_path) == {"reviews"}


def test_every_mistake_is_told_before_anything_is_opened(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "model/model.safetensors").unlink()
    assert main(["compress", str(run), "sparsefy", "sparsify:shar=1"]) == 2
    said = capsys.readouterr().err
    assert "did you mean 'sparsify'?" in said and "did you mean 'share'?" in said and "2 errors" in said
    assert main(["compress", str(run), "sparsify", "--tolerance", "half"]) == 2
    assert "--tolerance: got 'half'; expected a share such as 0.5%" in capsys.readouterr().err
    (run.parent / "reviews-sparsify").mkdir()
    with pytest.raises(Refused, match="reviews-sparsify: is already there and is never overwritten"):
        compress(run, ["sparsify"])
    code = (
        "import sys; from weitiao.errors import ProblemsFound; from weitiao.verbs.compress import compress\n"
        f"try: compress({str(run)!r}, ['sparsefy'])\n"
        "except ProblemsFound: assert not {'torch', 'transformers'} & set(sys.modules); print('early')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "early\n", done.stderr


def test_without_dev_rows_it_says_what_to_do(run: Path, tmp_path: Path) -> None:
    """The run's files are gone: rows can be named, or it is taken uncompared."""
    config = (run / "recipe.yaml").read_text("utf-8")
    (run / "recipe.yaml").write_text(config.replace("train.csv", "gone.csv"), "utf-8")
    with pytest.raises(
        Refused, match=r"no rows to compare .* \(.*gone\.csv.*\); name labelled rows with --data FILE, or"
    ):
        compress(run, ["sparsify:share=0.1"])
    write(tmp_path / "new.csv", 30, seed=7)
    made = compress(run, ["sparsify:share=0.1"], data=tmp_path / "new.csv")
    found = made.steps[0].comparison
    assert found is not None and (found.split, found.rows) == (str(tmp_path / "new.csv"), 30)
    assert made.report is None and not made.accepted
    assert not (made.path / "report.json").exists()
    assert "## Compression" in (made.path / "README.md").read_text("utf-8")
    taken = compress(run, ["sparsify:share=0.1"], accept=True, output=tmp_path / "taken")
    assert taken.accepted and taken.steps[0].comparison is None
    assert [each.labels for each in weitiao.predict(taken.path, ["good film"])] == [("pos",)]


def test_a_run_without_a_dev_split(run: Path) -> None:
    from weitiao.data import load_data
    from weitiao.recipe import dump_recipe, load_recipe
    from weitiao.verbs.preparing.frame import frame, task_of

    made = load_recipe(run / "recipe.yaml", frame(), ["data.dev=null", "training.metric=null"])
    task = task_of(made)
    data = load_data(made.data, fields=task.fields, read=task.read, answer=task.answer, surface=task.surface)
    (run / "recipe.yaml").write_text(dump_recipe(made), "utf-8")
    write_json(run / "data.json", {**read_json(run / "data.json"), **data.to_json()})
    with pytest.raises(Refused, match=r"\(the run has no dev rows\); name labelled rows with --data FILE"):
        compress(run, ["sparsify:share=0.1"])


@pytest.mark.usefixtures("more_steps")
def test_texts_are_lines_or_columns_as_the_run_reads_them(run: Path, tmp_path: Path) -> None:
    from weitiao.recipe import load_recipe
    from weitiao.verbs.preparing.frame import frame

    found = load_recipe(run / "recipe.yaml", frame())
    (tmp_path / "a.txt").write_text("one text\n\nanother, with a comma\n", "utf-8")
    assert read_texts(found, tmp_path / "a.txt") == ["one text", "another, with a comma"]
    (tmp_path / "a.csv").write_text("review\ngood film\nbad room\n", "utf-8")
    assert read_texts(found, tmp_path / "a.csv") == ["good film", "bad room"]
    (tmp_path / "b.txt").write_text(" \n", "utf-8")
    with pytest.raises(Refused, match=r"b\.txt: no text in it"):
        read_texts(found, tmp_path / "b.txt")
    with pytest.raises(Refused, match=r"c\.txt: cannot be read"):
        read_texts(found, tmp_path / "c.txt")
    made = compress(run, ["copy"], texts=tmp_path / "a.csv")
    assert made.steps[0].facts["texts"] == ["good film", "bad room"]


def test_what_it_made_is_not_resumed_as_a_training(run: Path) -> None:
    made = compress(run, ["sparsify:share=0.1"])
    with pytest.raises(Refused, match="made by weitiao compress, and not by training"):
        weitiao.train(resume=made.path)


def test_the_source_stays_as_it_is(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    compress(run, ["sparsify:share=0.1"])
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_the_command_line_prints_sizes_and_what_the_step_did(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", str(run), "sparsify:share=0.1"]) == 0
    said = capsys.readouterr()
    assert "100.0 %" in said.out and "+0.000 [+0.000, +0.000]" in said.out
    assert "linear layers are zero (10.0%)" in said.out and "it is not faster" in said.out
    assert "sparsify: on 32 rows of dev an output differs from its source's by 0.0" in said.out
    assert "sparsify: too few rows to rule out a fall beyond the tolerance" in said.out
    assert f"artifact: {run}-sparsify" in said.out and "compare" in said.out
    assert "step 1 of 1: sparsify:share=0.1" in said.err
    assert main(["list", "steps"]) == 0
    assert "sparsify" in capsys.readouterr().out


def test_logits_of_the_artifact_are_those_of_its_network(run: Path) -> None:
    made = compress(run, ["sparsify:share=0.1"])
    before, after = weitiao.load(run), weitiao.load(made.path)
    records = before.records(["good film", "bad bad room 12"])
    apart = [
        np.abs(one[0]["logits"] - other[0]["logits"]).max()
        for one, other in zip(before.outputs(records), after.outputs(records), strict=True)
    ]
    assert 0 < max(apart) < 0.1
