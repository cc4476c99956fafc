"""Which engine answers for a folder: the fastest one whose answers are the same, and why, in a sentence.

A run in torch is exported once into the cache folder, under the digest of its files and of the packages that export,
and kept there if the graph answers the same within `SAME`. Both engines then answer the same rows of several lengths;
the times are kept beside the graph, for this CPU and as many threads, so that the next start measures nothing, and
does not import torch where ONNX Runtime answers. A graph that no server started with in `UNUSED` seconds goes when
another is made; a server that has it open keeps it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from weitiao.artifact import cache_folder, read_json, replacing_folder, sha256_of, write_json
from weitiao.compression.onnx_options import OPSET, PACKAGES
from weitiao.errors import MissingExtra, Refused
from weitiao.machine import stamp
from weitiao.messages import _
from weitiao.models.onnx import ONNX_FILE, threads_here
from weitiao.models.parity import largest_difference
from weitiao.models.weights import weight_files
from weitiao.records import SECOND, Feature
from weitiao.serving.cards import TASK_FILE, TaskCard, model_folder
from weitiao.serving.engines import Engine, Wanted
from weitiao.serving.predictor import Predictor
from weitiao.text import load_tokenizer

SAME = 1e-5  # largest difference of an output
LENGTHS = (8, 16, 32, 64, 128)  # tokens of the rows that both answer, and one as long as the model reads
LONGEST = 512  # tokens of that one, at most
ROUNDS = 5
TEXT_PAIR = "text_pair"  # a field of the rows that are pairs
UNUSED = 30 * 86_400
EXPORT = "export.json"  # of a cached graph: the largest difference, or why there is none
CONFIG = "config.json"  # of the body
WHOLE = frozenset({"classify", "regress", "embed"})  # tasks that ask for texts and nothing beside them


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and why it is that one.

    Args:
        engine: what answers.
        reason: a sentence.
    """

    engine: Engine
    reason: str


def engine_for(folder: Path, wanted: Wanted = "auto", *, trust_remote_code: bool = False) -> Choice:
    """The engine of a `model/` folder.

    Args:
        folder: with `model.onnx`, or with torch weights.
        wanted: an engine, or `auto` for the fastest that answers the same.
        trust_remote_code: run code that comes with a model in torch.

    Raises:
        Refused: the engine that is wanted cannot answer for this folder.
    """
    if (folder / ONNX_FILE).is_file():
        if wanted == "torch":
            raise Refused(_("{folder}: is an export to ONNX and cannot be answered by torch").format(folder=folder))
        return Choice(_onnx(folder), _("ONNX Runtime answers: the artifact is an ONNX graph"))
    if wanted == "torch":
        return Choice(_torch(folder, trust_remote_code), _("torch answers, as asked"))
    if reason := _not_for_onnx(folder):
        if wanted == "onnx":
            raise Refused(_("{folder}: {reason}").format(folder=folder, reason=reason))
        return Choice(_torch(folder, trust_remote_code), _("torch answers: {reason}").format(reason=reason))
    return _measured(folder, wanted, trust_remote_code)


def predictor_for(run: Path, wanted: Wanted = "auto", *, trust_remote_code: bool = False) -> tuple[Predictor, str]:
    """The predictor of a run or of its `model/` with the engine of `engine_for`, and why it is that one."""
    folder = model_folder(run)
    chosen = engine_for(folder, wanted, trust_remote_code=trust_remote_code)
    return Predictor.of(TaskCard.read(folder / TASK_FILE), chosen.engine, load_tokenizer(folder)), chosen.reason


def _not_for_onnx(folder: Path) -> str:
    """Why a run in torch is not exported at its start; empty where it is."""
    missing = [each for each in PACKAGES if find_spec(each) is None]
    if missing:
        return str(MissingExtra(missing[0], "compress"))
    task = TaskCard.read(folder / TASK_FILE).task_name
    if task not in WHOLE:
        return _("runs of the task {task} are exported by: weitiao compress RUN onnx").format(task=task)
    return ""


def _measured(folder: Path, wanted: Wanted, trust_remote_code: bool) -> Choice:
    """ONNX Runtime where it answers the same and, unless it is asked for, faster."""

    @cache
    def torch() -> Engine:
        return _torch(folder, trust_remote_code)

    with _exported(folder, torch, trust_remote_code) as (place, told):
        if told["problem"]:
            if wanted == "onnx":
                raise Refused(_("{folder}: {reason}").format(folder=folder, reason=told["problem"]))
            return Choice(torch(), _("torch answers: {reason}").format(reason=told["problem"]))
        onnx = _onnx(place)
        if wanted == "onnx":
            return Choice(onnx, _("ONNX Runtime answers, as asked"))
        seconds = _seconds(place, _rows(folder), torch, onnx)
    times = seconds["torch"] / seconds["onnx"]
    if times > 1:
        message = _("ONNX Runtime answers: {times:.1f} times as fast as torch here, and the same within {apart:.1g}")
        return Choice(onnx, message.format(times=times, apart=told["largest_difference"]))
    return Choice(torch(), _("torch answers: {times:.1f} times as fast as ONNX Runtime here").format(times=1 / times))


@contextmanager
def _exported(
    folder: Path, torch: Callable[[], Engine], trust_remote_code: bool
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folder of the graph in the cache, and what is known of it; made by the first who asks, held meanwhile."""
    place = cache_folder() / "graphs" / _digest(folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock")):
        if not (place / EXPORT).is_file():
            with replacing_folder(place) as beside:
                write_json(beside / EXPORT, _export(folder, beside, torch(), trust_remote_code))
            _forget_unused(place.parent)
        os.utime(place / EXPORT)
        yield place, read_json(place / EXPORT)


def _forget_unused(graphs: Path) -> None:
    """Remove what no server started with of late, but nothing that one is choosing by; another may remove it too."""
    for place in [each for each in graphs.iterdir() if each.is_dir()]:
        with suppress(OSError), FileLock(place.with_suffix(".lock"), timeout=0):
            export = place / EXPORT
            if time.time() - (export if export.is_file() else place).stat().st_mtime > UNUSED:
                export.unlink(missing_ok=True)  # first: what is left of a removal that was stopped is no graph
                shutil.rmtree(place)


def _export(folder: Path, target: Path, torch: Engine, trust_remote_code: bool) -> dict[str, Any]:
    """Write the graph; its largest difference from torch, and what is wrong with it, or an empty text."""
    from weitiao.compression.onnx import export
    from weitiao.models.network import load

    rows = _rows(folder)
    try:
        export(load(folder, trust_remote_code=trust_remote_code), rows, target)
        worst = largest_difference(torch.infer(rows), _onnx(target).infer(rows))
    except Refused as error:
        return {"problem": str(error), "largest_difference": None}
    problem = "" if worst <= SAME else _("the exported graph answers otherwise, by {worst:.2g}").format(worst=worst)
    return {"problem": problem, "largest_difference": worst}


def _seconds(place: Path, rows: Sequence[Feature], torch: Callable[[], Engine], onnx: Engine) -> dict[str, float]:
    """Median seconds of each engine for all rows, one at a time; measured once for a graph, a CPU and its threads."""
    path = place / f"speed-{_machine()}.json"
    if path.is_file():
        return read_json(path)
    engines = (torch(), onnx)
    found: dict[str, list[float]] = {engine.name: [] for engine in engines}
    for _round in range(ROUNDS + 1):
        for engine in engines:
            started = time.perf_counter()
            for row in rows:
                engine.infer([row])
            found[engine.name].append(time.perf_counter() - started)
    seconds = {name: float(np.median(each[1:])) for name, each in found.items()}  # the first warms up
    write_json(path, seconds)
    return seconds


def _machine() -> str:
    """Of this CPU, and of the threads that an engine has on it."""
    return hashlib.sha256(json.dumps([stamp(), threads_here()]).encode()).hexdigest()[:12]


def _rows(folder: Path) -> list[Feature]:
    """Rows of several lengths: ids of the vocabulary between the special tokens; of a pair half in each text."""
    tokenizer, card = load_tokenizer(folder), TaskCard.read(folder / TASK_FILE)
    most, pair = card.max_length, TEXT_PAIR in (card.fields or ())
    wrapping, size = tokenizer.wrapping(pair=pair), tokenizer.backend.get_vocab_size()
    draw = np.random.default_rng(0)
    longest = min(each for each in (most, tokenizer.max_length, LONGEST) if each)
    rows = []
    for length in sorted({min(each, longest) for each in (*LENGTHS, LONGEST)}):
        drawn = draw.integers(0, size, max(1 + pair, length - len(wrapping))).tolist()
        first, second = (drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]) if pair else (drawn, [])
        ids, types = wrapping.wrap(first, second)
        begins = wrapping.second_at(len(first))
        places = {SECOND: np.array([begins, begins + len(second)], dtype=np.int32)} if pair else {}
        rows.append(Feature(ids, types if tokenizer.segments else None, places=places))
    return rows


def _digest(folder: Path) -> str:
    """Of the weights, of what says how they are put together, and of what exports them."""
    described = [each for each in (folder / CONFIG, folder / TASK_FILE) if each.is_file()]
    paths = [*sorted(weight_files(folder)), *sorted(folder.glob("*.safetensors")), *described]
    made_by = json.dumps([OPSET, {each: version(each) for each in ("weitiao", "torch", *PACKAGES)}])
    whole = "".join(sha256_of(each) for each in dict.fromkeys(paths)) + made_by
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def _torch(folder: Path, trust_remote_code: bool) -> Engine:
    from weitiao.models.network import load
    from weitiao.serving.engines.torch_engine import TorchEngine

    return TorchEngine(load(folder, trust_remote_code=trust_remote_code))


def _onnx(folder: Path) -> Engine:
    from weitiao.serving.engines.onnx_engine import OnnxEngine

    return OnnxEngine.open(folder)
