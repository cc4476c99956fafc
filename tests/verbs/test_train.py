"""`weitiao.train` end to end on a tiny model: what a run leaves, resuming, seeds, folds, signals, several processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from safetensors.numpy import load_file
from tests.verbs.trained import recipe

import weitiao
from weitiao.artifact import read_json
from weitiao.errors import Interrupted, ProblemsFound, Refused
from weitiao.methods.frozen_cache import FrozenCache
from weitiao.serving.drift.reference import Reference
from weitiao.verbs.fitting import repeats

WEIGHTS = "model/model.safetensors"
SHORT = {"max_steps": 4, "batch_size": 16, "learning_rate": 3e-3}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def written(folder: Path, made: Mapping[str, Any]) -> Path:
    path = folder / "recipe.yaml"
    YAML().dump(dict(made), path)
    return path


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "weitiao", *map(str, words)]


def test_what_a_run_leaves(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    run = weitiao.train(recipe(tmp_path), on_event=events.append)
    left = {path.name for path in run.path.iterdir()}
    assert left == {
        "recipe.yaml", "data.json", "log.jsonl", "checkpoints", "model", "report.json", "report.html", "README.md",
        "predictions.jsonl", "fit.json", "drift.json",
    }  # fmt: skip
    reference = Reference.read(run.path)
    assert reference is not None
    assert (sum(reference.numbers["lengths"].counts), sum(reference.labels.values())) == (128, 40)
    assert run.report.split == "test"
    assert run.report.metrics["accuracy"].value > 0.8
    assert set(run.report.baselines) == {"majority", "tfidf"}
    data = read_json(run.path / "data.json")
    assert {split: each["rows"] for split, each in data["splits"].items()} == {"train": 128, "dev": 32, "test": 40}
    assert (
        data["ledger"]["read"]
        == data["ledger"]["kept"] + data["ledger"]["truncated"] + data["ledger"]["dropped"]
        == 200
    )
    steps = [event["step"] for event in events if event["kind"] == "step"]
    assert steps == list(range(1, 49))


def test_a_stock_model_loads_in_plain_transformers_with_the_same_logits(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = weitiao.train(recipe(tmp_path))
    texts = ["good room", "bad food 房间", "nice film"]
    model = AutoModelForSequenceClassification.from_pretrained(run.path / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(run.path / "model")
    with torch.inference_mode():
        logits = model(**tokenizer(texts, return_tensors="pt", padding=True)).logits
    ours = run.predictor.outputs(run.predictor.records(texts))
    np.testing.assert_allclose(np.stack([each[0]["logits"] for each in ours]), logits.numpy(), atol=1e-5)
    assert model.config.id2label == {0: "neg", 1: "pos"}


@pytest.mark.parametrize("head", ["stock", "mean"])
@pytest.mark.parametrize("method", ["full", "freeze", "head"])
def test_methods_and_heads(method: str, head: str, tmp_path: Path) -> None:
    made = recipe(tmp_path, method=method)
    made["model"] = {**made["model"], "head": head}
    run = weitiao.train(made)
    assert not (run.path / "cache").exists()
    first, again = (weitiao.load(run.path).predict(run.predictor.records(["good film"])) for _time in range(2))
    assert first == again
    again_measured = run.evaluate()
    assert again_measured.report.metrics["accuracy"] == run.report.metrics["accuracy"]


def test_the_same_recipe_gives_the_same_bytes(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    first = weitiao.train(made)
    second = weitiao.train({**made, "output": str(tmp_path / "again")})
    assert (first.path / WEIGHTS).read_bytes() == (second.path / WEIGHTS).read_bytes()


def test_an_existing_run_is_never_overwritten(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    weitiao.train(made)
    before = (tmp_path / "run/report.json").read_bytes()
    with pytest.raises(Refused, match="a run is already there and is never overwritten"):
        weitiao.train(made)
    assert (tmp_path / "run/report.json").read_bytes() == before


def test_nothing_is_written_when_the_data_are_at_fault(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    made["data"]["train"] = str(tmp_path / "trian.csv")
    with pytest.raises(ProblemsFound, match=r"trian\.csv.*did you mean .*train\.csv"):
        weitiao.train(made)
    assert not (tmp_path / "run").exists()


def test_rows_in_python_stand_in_for_files(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    rows = {
        name: list(csv.DictReader((tmp_path / f"{name}.csv").read_text("utf-8").splitlines()))
        for name in ("train", "test")
    }
    from_files = weitiao.train(made)
    del made["data"]
    from_rows = weitiao.train(
        {**made, "data": {"train": "memory", "dev": "20%"}, "output": str(tmp_path / "rows")}, data=rows
    )
    assert (from_files.path / WEIGHTS).read_bytes() == (from_rows.path / WEIGHTS).read_bytes()


def test_seeds_the_report_is_of_the_kept_model_and_of_all_fits(tmp_path: Path) -> None:
    run = weitiao.train(recipe(tmp_path, seeds=2, folds=2, training=SHORT))
    fits = [read_json(path) for path in (tmp_path / "run").glob("*/*/fit.json")]
    assert len(fits) == 4
    alone = weitiao.train(recipe(tmp_path, seed=run.report.seed, training=SHORT, output=str(tmp_path / "alone")))
    assert (alone.path / WEIGHTS).read_bytes() == (run.path / WEIGHTS).read_bytes()
    assert run.report.timing.train_seconds == pytest.approx(sum(fit["seconds"] for fit in fits))
    assert run.report.timing.peak_memory_bytes == max(fit["peak_memory_bytes"] for fit in fits)


def test_several_seeds_give_a_spread_and_the_best_on_dev_is_kept(tmp_path: Path) -> None:
    run = weitiao.train(recipe(tmp_path, seeds=3))
    assert run.report.seeds is not None
    assert set(run.report.seeds.values) == {"17", "18", "19"}
    best = {seed: read_json(run.path / "seeds" / seed / "fit.json")["best"] for seed in run.report.seeds.values}
    kept = str(run.report.seed)
    assert best[kept] == max(best.values())
    assert run.report.metrics["accuracy"].value == pytest.approx(run.report.seeds.values[kept])
    assert run.report.seeds.low <= run.report.seeds.mean <= run.report.seeds.high


@pytest.mark.parametrize("method", ["full", "freeze"])
def test_of_seeds_and_folds_only_the_best_model_and_the_scores_stay(method: str, tmp_path: Path) -> None:
    run = weitiao.train(recipe(tmp_path, seeds=2, folds=2, training=SHORT, method=method))
    assert (run.path / "adapter").is_dir() is (method == "freeze")
    left = {str(path.relative_to(run.path)) for path in run.path.glob("*/*/*")}
    fits = ("seeds/17", "seeds/18", "folds/1", "folds/2")
    assert left == {f"{fit}/{name}" for fit in fits for name in ("fit.json", "log.jsonl", "score.json")}
    assert not (run.path / "checkpoints").exists()
    before = {name: (run.path / name).read_bytes() for name in (WEIGHTS, "log.jsonl", "predictions.jsonl")}
    (run.path / "predictions.jsonl").unlink()
    again = weitiao.train(resume=run.path)  # nothing is fitted again, and nothing else is needed
    assert {name: (run.path / name).read_bytes() for name in before} == before
    assert (again.report.seeds, again.report.folds) == (run.report.seeds, run.report.folds)


@pytest.fixture(scope="module")
def two_and_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], weitiao.Run]:
    """The recipe of a short run of two seeds and two folds, and that run."""
    made = recipe(tmp_path_factory.mktemp("straight"), seeds=2, folds=2, training=SHORT)
    return made, weitiao.train(made)


@pytest.mark.parametrize("moment", ["adopt", "discard", "headline"])
def test_killed_between_a_fit_and_what_it_leaves(
    moment: str,
    two_and_two: tuple[dict[str, Any], weitiao.Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, straight = two_and_two
    whole, calls = getattr(repeats, moment), 0

    def killed(*arguments: Any) -> Any:
        nonlocal calls
        found, calls = whole(*arguments), calls + 1
        if calls == (1 if moment == "adopt" else 3):
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr(repeats, moment, killed)
        with pytest.raises(Interrupted):
            weitiao.train({**made, "output": str(tmp_path / "run")})
    resumed = weitiao.train(resume=tmp_path / "run")
    for name in (WEIGHTS, "predictions.jsonl", "log.jsonl"):
        assert (resumed.path / name).read_bytes() == (straight.path / name).read_bytes()
    assert (resumed.report.seeds, resumed.report.folds) == (straight.report.seeds, straight.report.folds)


def test_the_frozen_layers_run_once_for_all_seeds_and_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled: list[int] = []
    fill = FrozenCache._fill

    def counted(self: FrozenCache, network: Any, features: Any, *rest: Any) -> None:
        filled.append(len(features))
        fill(self, network, features, *rest)

    monkeypatch.setattr(FrozenCache, "_fill", counted)
    method = {"name": "freeze", "layers": 1, "cache_precision": "fp32"}
    run = weitiao.train(recipe(tmp_path, method=method, seeds=2, folds=2, training=SHORT))
    assert filled == [128, 32]  # train and dev, once each
    assert run.report.folds is not None
    method = {"name": "freeze", "layers": 1, "cache": False}
    without = weitiao.train(recipe(tmp_path, method=method, folds=2, training=SHORT, output=str(tmp_path / "without")))
    assert without.report.folds is not None
    for name in ("1", "2"):  # a fold reads its own rows of the cache
        ours, theirs = (losses(each.path / "folds" / name) for each in (run, without))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_folds_measure_every_training_row_once(tmp_path: Path) -> None:
    run = weitiao.train(recipe(tmp_path, folds=3))
    assert run.report.folds is not None
    assert set(run.report.folds.values) == {"1", "2", "3"}
    assert run.report.folds.mean == pytest.approx(np.mean(list(run.report.folds.values.values())))


def test_without_dev_and_test_the_report_says_so(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    made["data"] = {"train": made["data"]["train"], "dev": None}
    run = weitiao.train(made)
    assert run.report.split == "train"
    assert "training rows" in run.report.note


def test_multi_label_thresholds_come_from_dev(tmp_path: Path) -> None:
    made = recipe(tmp_path, task={"name": "classify", "multi_label": True})
    run = weitiao.train(made)
    settings = read_json(run.path / "model/task.json")["settings"]
    assert set(settings["thresholds"]) == {"neg", "pos"}
    assert run.report.headline == "micro_f1"


def test_pairs_are_learnt_as_pairs(tmp_path: Path) -> None:
    """Whether two words are equal: neither of them alone says anything."""
    words = ("good", "bad", "film", "room")
    rows = [
        {"text": f"{a} {number}", "text_pair": b, "label": "same" if a == b else "other"}
        for number in range(30) for a in words for b in (*words, a, a)
    ]  # fmt: skip
    changes = {
        "data": {"dev": "20%", "test": "20%"},
        "training": {"epochs": 20, "batch_size": 16, "learning_rate": 2e-3},
    }
    run = weitiao.train(recipe(tmp_path, **changes), data=rows)
    assert read_json(run.path / "model/task.json")["fields"] == ["text", "text_pair"]
    assert run.report.metrics["accuracy"].value > 0.9
    with pytest.raises(Refused, match="trained on text \\+ text_pair"):
        run.predict(["good"])
    (tmp_path / "single.csv").write_text("text,label\ngood film,same\nbad room,other\n", "utf-8")
    with pytest.raises(ProblemsFound) as refused:
        run.evaluate(tmp_path / "single.csv")
    places = [(problem.file, problem.line) for problem in refused.value.problems]
    assert places == [(str(tmp_path / "single.csv"), 2), (str(tmp_path / "single.csv"), 3)]


def test_interrupted_by_sigterm_and_resumed_it_ends_in_the_same_bytes(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    made["training"] = {**made["training"], "epochs": 40, "checkpoint_every": 5}
    straight = weitiao.train({**made, "output": str(tmp_path / "straight")})
    process = subprocess.Popen(
        command("train", written(tmp_path, made)),
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    log = tmp_path / "run/log.jsonl"
    deadline = time.monotonic() + 120
    while not (log.is_file() and len(log.read_bytes().splitlines()) > 20) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "the run is saved" in err
    assert "--resume" in err
    done = subprocess.run(
        command("train", "--resume", tmp_path / "run", "--json"),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"] == str(tmp_path / "run")
    for name in (WEIGHTS, "predictions.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (straight.path / name).read_bytes()


def test_what_is_calibrated_fits_what_is_served(tmp_path: Path) -> None:
    """The cache of frozen layers is rounded; thresholds are not chosen by it."""
    made = recipe(
        tmp_path,
        task={"name": "classify", "multi_label": True},
        method={"name": "freeze", "layers": 1, "cache_precision": "fp16"},
    )
    run = weitiao.train(made)
    found = weitiao.check(run.folder.recipe)
    assert found.dataset is not None
    dev = found.dataset.records["dev"]
    served = found.task.calibrate(dev, [[]] * len(dev), run.predictor.outputs(dev), found.labels)
    assert read_json(run.path / "model/task.json")["settings"] == served


def test_changed_data_cannot_be_resumed(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    weitiao.train(made)
    with (tmp_path / "train.csv").open("a", encoding="utf-8") as stream:
        stream.write("a new row,pos\n")
    with pytest.raises(Refused, match="the data changed since the run began"):
        weitiao.train(resume=tmp_path / "run")


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"],
    # `--multi_gpu` is how accelerate starts several processes on one machine; `--cpu` starts one without MPI
    "accelerate": ["accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1",
                   "--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("launcher", "method"), [("torchrun", "full"), ("torchrun", "gradual"), ("accelerate", "head")]
)
def test_two_processes_give_the_result_of_one(launcher: str, method: str, tmp_path: Path) -> None:
    """Promise 3 over gloo: two processes, dropout 0, 20 AdamW steps; the loss of each step as that of one process."""
    made = recipe(tmp_path, method=method)
    made["model"] = {**made["model"], "dropout": 0.0}
    made["training"] = {**made["training"], "epochs": 3, "max_steps": 20}
    alone = weitiao.train({**made, "output": str(tmp_path / "alone")})
    done = subprocess.run(
        [sys.executable, "-m", *LAUNCHERS[launcher], "-m", "weitiao", "train", str(written(tmp_path, made))],
        env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("report.html") == 1
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(alone.path), rtol=1e-6)
    together, one = load_file(tmp_path / "run" / WEIGHTS), load_file(alone.path / WEIGHTS)
    assert max(float(np.abs(together[name] - one[name]).max()) for name in one) < 1e-4


WATCHED = """
import os, signal, sys
from weitiao.cli import main
from weitiao.methods.frozen_cache import FrozenCache
fill, rank, (recipe, log, interrupted) = FrozenCache._fill, os.environ["RANK"], sys.argv[1:]
def watched(self, *arguments):
    with open(log, "a") as stream:
        stream.write(rank)
    if rank == interrupted:
        signal.raise_signal(signal.SIGTERM)
    fill(self, *arguments)
FrozenCache._fill = watched
sys.exit(main(["train", recipe]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("interrupted", "filled"), [("none", "00"), ("0", "0")])
def test_of_two_processes_the_first_fills_the_cache(interrupted: str, filled: str, tmp_path: Path) -> None:
    """Train and dev once each, and the other reads them; a signal to the first alone is the end for both."""
    (tmp_path / "watched.py").write_text(WATCHED)
    path = written(tmp_path, recipe(tmp_path, method="head"))
    program = [str(tmp_path / "watched.py"), str(path), str(tmp_path / "filled"), interrupted]
    done = subprocess.run(
        [sys.executable, "-m", *LAUNCHERS["torchrun"], *program],
        env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (tmp_path / "filled").read_text() == filled
    assert (done.returncode == 0) == (interrupted == "none"), done.stderr[-2000:]
    if interrupted != "none":
        assert done.stderr.count("interrupted before fitting; the run is saved; go on with: ") == 2
        assert not list((tmp_path / "run/cache").iterdir())


def losses(run: Path) -> list[float]:
    """The loss of each step."""
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    return [entry["loss"] for entry in entries if "loss" in entry]
