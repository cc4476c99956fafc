"""Engines: which answers for a folder, without torch where it was exported, and what another CPU makes of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

import weitiao
from tests.compression.sources import source
from weitiao.compression import STEP_OPTIONS, STEPS
from weitiao.errors import Refused
from weitiao.models.onnx import threads_here
from weitiao.models.parity import Parity
from weitiao.models.tiny import tiny
from weitiao.serving.engines import choosing
from weitiao.serving.engines.choosing import engine_for, predictor_for
from weitiao.serving.engines.onnx_engine import OnnxEngine
from weitiao.serving.predictor import Predictor
from weitiao.tasks import TASKS

TEXTS = ["fine", "a much longer text about a lazy dog and a quick brown fox", "很好", "dull, overlong"]

ABSENT = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers"}:
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
"""
WITHOUT_TORCH = (
    ABSENT
    + """
from weitiao.__main__ import run
run()
"""
)
CHOOSE = (
    ABSENT
    + """
from pathlib import Path
from weitiao.serving.engines.choosing import engine_for
print(engine_for(Path(sys.argv[1])).engine.name)
"""
)


@pytest.fixture(scope="module")
def exported(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run, exported, as an artifact folder."""
    target = tmp_path_factory.mktemp("exported") / "reviews"
    target.mkdir()
    task = TASKS["classify"]()
    rows = [task.read({"text": text, "label": "pos"}, file="a.csv", line=2) for text in TEXTS]
    STEPS["onnx"](STEP_OPTIONS["onnx"]()).run(source(finished_run / "model", rows), target / "model")
    shutil.copy(finished_run / "recipe.yaml", target / "recipe.yaml")
    return target


@pytest.mark.slow
def test_an_export_answers_without_torch_as_the_run_does(finished_run: Path, exported: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "predict", str(exported), "--json", *TEXTS],
        capture_output=True, text=True, check=True, timeout=120, env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    found = json.loads(done.stdout)["predictions"]
    for text, answer, expected in zip(TEXTS, found, Predictor.load(finished_run).predict(TEXTS), strict=True):
        assert (answer["text"], answer["labels"]) == (text, list(expected.labels))
        assert answer["scores"] == pytest.approx(expected.scores, abs=1e-5)


@pytest.mark.slow
def test_the_torch_network_of_an_export_is_refused(exported: Path) -> None:
    predictor = Predictor.load(exported)
    assert predictor.engine.name == "onnx"
    with pytest.raises(Refused, match="this needs torch, but the model is an export to onnx; take the run it was made"):
        _network = predictor.network
    with pytest.raises(Refused, match="is an export to ONNX and cannot be answered by torch"):
        engine_for(exported / "model", "torch")
    assert engine_for(exported / "model").reason == "ONNX Runtime answers: the artifact is an ONNX graph"


@pytest.mark.slow
def test_on_another_cpu_the_kept_rows_are_asked_again(exported: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(exported / "model", tmp_path / "model"))
    here = Parity.read(model)
    assert here is not None
    elsewhere = replace(here, machine={"machine": "z80", "instructions": ["ld", "djnz"]})
    elsewhere.write(model)
    with pytest.warns(UserWarning, match=r"made on a CPU with ld, djnz; on this one its outputs differ by 0 at most"):
        OnnxEngine.open(model)
    other = [{name: each + 1 for name, each in outputs.items()} for outputs in here.outputs]
    replace(elsewhere, outputs=other).write(model)
    with pytest.raises(Refused, match=r"differ by 1, more than the 0\.0001 that is allowed; compress the run again"):
        OnnxEngine.open(model)


@pytest.mark.slow
def test_the_fastest_engine_is_measured_once_and_said(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path))
    model = finished_run / "model"
    asked = engine_for(model, "onnx")
    assert (asked.engine.name, asked.reason) == ("onnx", "ONNX Runtime answers, as asked")
    chosen = engine_for(model)
    (speed,) = tmp_path.rglob("speed-*.json")
    measured = json.loads(speed.read_text("utf-8"))
    assert chosen.engine.name == min(measured, key=measured.get) and min(measured.values()) > 0
    for seconds, other, name, reason in (
        (3.0, 1.5, "onnx", "ONNX Runtime answers: 2.0 times as fast as torch here, and the same within"),
        (1.0, 4.0, "torch", "torch answers: 4.0 times as fast as ONNX Runtime here"),
    ):
        speed.write_text(json.dumps({"torch": seconds, "onnx": other}), "utf-8")
        again = engine_for(model)
        assert (again.engine.name, again.reason[: len(reason)]) == (name, reason)
        if name == "onnx":  # all that is asked for is kept: the next start does without torch
            command = [sys.executable, "-c", CHOOSE, str(model)]
            assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "onnx\n"
    rows = choosing._rows(model)
    assert [len(each) for each in rows] == [8, 16, 32, 64]  # the card's longest is the last
    for one, other in zip(asked.engine.infer(rows), engine_for(model, "torch").engine.infer(rows), strict=True):
        np.testing.assert_allclose(one["logits"], other["logits"], rtol=0, atol=1e-5)
    predictor, reason = predictor_for(finished_run)
    assert (predictor.engine.name, reason) == ("torch", "torch answers: 4.0 times as fast as ONNX Runtime here")
    assert predictor.predict(TEXTS) == Predictor.load(finished_run).predict(TEXTS)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_both_engines_read_the_texts_of_a_pair_apart(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path / "cache"))
    pairs = [(one, other) for one in TEXTS for other in TEXTS]
    tiny(family, tmp_path / "model", texts=TEXTS)
    run = weitiao.train(
        {
            "task": "regress",
            "model": {"name": str(tmp_path / "model"), "head": "mean"},
            "data": {"train": "memory", "dev": None, "test": None},
            "training": {"max_steps": 3, "learning_rate": 1e-2},
            "evaluation": {"resamples": 100},
            "output": str(tmp_path / "run"),
        },
        data=[{"text": one, "text_pair": other, "score": float(one == other)} for one, other in pairs],
    )
    expected = [each.score for each in Predictor.load(run.path).predict(pairs)]
    assert len({round(each, 6) for each in expected}) > len(TEXTS)
    predictor, reason = predictor_for(run.path, "onnx")
    assert reason == "ONNX Runtime answers, as asked"
    assert [each.score for each in predictor.predict(pairs)] == pytest.approx(expected, abs=1e-5)


def test_without_the_extra_torch_answers_and_says_how_to_change_that(
    finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "PACKAGES", ("no_such_package",))
    found = engine_for(finished_run / "model")
    assert found.engine.name == "torch" and found.reason.startswith("torch answers: no_such_package is not installed")
    with pytest.raises(Refused, match=r"no_such_package is not installed; install it with: pip install 'weitiao\[comp"):
        engine_for(finished_run / "model", "onnx")


def test_what_is_kept_is_kept_for_the_files_the_packages_and_the_threads(
    made_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = made_run / "model"
    found = [choosing._digest(model)]
    assert choosing._digest(model) == found[0]
    for name in ("config.json", "task.json"):
        path = model / name
        path.write_text(path.read_text("utf-8") + "\n", "utf-8")
        found.append(choosing._digest(model))
    monkeypatch.setattr(choosing, "version", lambda _package: "99")
    found.append(choosing._digest(model))
    monkeypatch.setattr("weitiao.serving.engines.choosing.OPSET", 99)
    found.append(choosing._digest(model))
    assert len(set(found)) == 5
    before = choosing._machine()
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads_here() + 1))
    assert choosing._machine() != before


def test_graphs_that_nobody_asks_for_are_removed_but_not_out_of_hands(tmp_path: Path) -> None:
    long_ago = time.time() - choosing.UNUSED - 60
    for name in ("old", "held", "new"):
        export = tmp_path / name / choosing.EXPORT
        export.parent.mkdir()
        export.write_text("{}", "utf-8")
        os.utime(export, None if name == "new" else (long_ago, long_ago))
    with FileLock(tmp_path / "held.lock"):
        choosing._forget_unused(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_dir()) == ["held", "new"]


@pytest.mark.slow
def test_a_graph_that_is_asked_for_stays(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path))
    engine_for(finished_run / "model", "onnx")
    (export,) = tmp_path.rglob(choosing.EXPORT)
    os.utime(export, (0, 0))
    before = export.read_bytes()
    engine_for(finished_run / "model", "onnx")
    assert time.time() - export.stat().st_mtime < choosing.UNUSED and export.read_bytes() == before
