"""How fast does an answer come, beside `transformers.pipeline` and ONNX Runtime used by hand?

A round asks every variant for the same texts, one after the other in one process; the order rotates from round to
round. `library` is `Predictor.predict`; `served` is the real server on loopback, one text a request from several
connections, and the load generator runs on the same cores. Scores of float32 and int8 are those of the same model on
texts that it was not trained on.

    python benchmarks/serving.py --quick --json
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import machine
import spread
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run

STARTERS = {"en": "sst2", "zh-en": "waimai_10k"}  # starter -> the corpus that its classifier is trained on
LONG = {"en": "bank_faq", "zh-en": "cmrc2018"}
ROUNDS, TRAIN_ROWS, SCORED_ROWS, MAX_LENGTH = 3, 2000, 2500, 256
TEXTS = {"short": 320, "long": 64}
PIPELINE_BATCHES, HAND_BATCHES = (8, 16, 32, 64), (1, 8, 32)
CONNECTIONS = 16
WORKERS = (0, 1, 2, 3)  # 0: the server's own process answers
GOALS = {  # of the issue: name -> (form, reference, goal)
    "int8_over_pipeline_alone": ("int8", "pipeline-1", 4.5),
    "int8_over_pipeline_best": ("int8", "pipeline-best", 3.5),
    "float_over_pipeline_alone": ("float", "pipeline-1", 4.0),
    "float_over_pipeline_best": ("float", "pipeline-best", 3.0),
}
LATENCY_GOAL, LOSS_GOAL = 2.5, 0.005


def cells(quick: bool) -> list[Cell]:
    """Rounds of each starter and length, and the scores of each starter."""
    made: list[Cell] = []
    for starter in ("en",) if quick else STARTERS:
        for length in ("short",) if quick else TEXTS:
            settings = {
                "starter": starter, "length": length, "corpus": (STARTERS if length == "short" else LONG)[starter],
                "texts": 48 if quick else TEXTS[length], "quick": quick,
            }  # fmt: skip
            made += [
                Cell(f"{starter}-{length}-{index}", {"kind": "round", "index": index, **settings})
                for index in range(1 if quick else ROUNDS)
            ]
        scored = {"kind": "score", "starter": starter, "rows": 200 if quick else SCORED_ROWS, "quick": quick}
        made.append(Cell(f"{starter}-score", scored))
    workers = {"kind": "workers", "starter": "en", "texts": 48 if quick else TEXTS["short"], "quick": quick}
    return [*made, Cell("en-workers", workers)]


def prepare(workspace: Path, quick: bool) -> None:
    """Train a classifier a starter, and make its float32 and int8 artifacts."""
    import corpora
    import weitiao

    for starter in ("en",) if quick else STARTERS:
        corpus = corpora.load(STARTERS[starter])
        rows = [{"text": each.text, "label": each.label} for each in corpus.sample(TRAIN_ROWS, seed=17)]
        recipe = {
            "task": "classify", "model": {"name": f"starter:{starter}", "head": "stock"},
            "data": {"train": "memory", "dev": "10%", "test": None},
            "training": {"max_length": MAX_LENGTH, "learning_rate": 1e-4, "epochs": 2, "batch_size": 32,
                         "max_steps": 4 if quick else None},
            "evaluation": {"baselines": [], "resamples": 200}, "output": str(workspace / starter),
        }  # fmt: skip
        weitiao.train(recipe, data={"train": rows})
        held_out = [{"text": each.text, "label": each.label} for each in corpus.sample(TRAIN_ROWS + 400, seed=17)]
        for form, steps in (("float", ["onnx"]), ("int8", ["onnx", "int8"])):
            output = workspace / f"{starter}-{form}"
            weitiao.compress(
                workspace / starter, steps, output=output, accept=True, data=held_out[TRAIN_ROWS:]
            )  # whether it keeps the score is measured below, on more rows


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One round, the scores, or the server with several numbers of workers."""
    return {"round": _round, "score": _score, "workers": _workers}[settings["kind"]](settings, workspace)


def texts_of(starter: str, length: str, count: int) -> list[str]:
    """Texts to be answered, never trained on."""
    import corpora

    if length == "short":
        records = corpora.load(STARTERS[starter]).test
        texts = [record.text for record in records]
    elif starter == "en":
        corpus = corpora.load(LONG[starter])
        texts = [record.text for record in [*corpus.test, *corpus.train]]
    else:
        articles = json.loads((corpora.shared_folder() / "cmrc2018" / "cmrc2018_dev.json").read_text("utf-8"))["data"]
        texts = [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
    random.Random(17).shuffle(texts)
    return texts[:count]


def _round(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Every variant once on the same texts, in rotated order, after one warm-up each."""
    starter = settings["starter"]
    texts = texts_of(starter, settings["length"], settings["texts"])
    with ExitStack() as open_things:
        variants = _variants(workspace, starter, open_things)
        for ask in variants.values():
            ask(texts[:16])
        names = list(variants)
        start = settings["index"] % len(names)
        with machine.watch() as seen:
            measured = {name: _timed(variants[name], texts) for name in [*names[start:], *names[:start]]}
    return {
        "variants": {name: measured[name] for name in names},
        "gflops": machine.gemm_peak(),
        "work_gflop": _work(workspace / starter, texts),
        "texts": len(texts),
        "cores_of_others": seen.foreign_cores,  # the servers and, for the served variants, nothing else
    }


Ask = Callable[[Sequence[str]], list[float]]  # texts -> seconds of each request


def _timed(ask: Ask, texts: Sequence[str]) -> dict[str, float]:
    started = time.perf_counter()
    latencies = ask(texts)
    seconds = time.perf_counter() - started
    return {
        "texts_per_second": round(len(texts) / seconds, 2),
        "p50_ms": round(1000 * statistics.median(latencies), 3) if latencies else 0.0,
    }


def _variants(workspace: Path, starter: str, opened: ExitStack) -> dict[str, Ask]:
    """Name -> what answers."""
    import weitiao

    folder = workspace / starter / "model"
    pipe = _pipeline(folder)
    found: dict[str, Ask] = {"pipeline-1": _each(lambda text: pipe(text, truncation=True))}
    for size in PIPELINE_BATCHES:
        found[f"pipeline-{size}"] = _whole(
            lambda texts, size=size: pipe(list(texts), batch_size=size, truncation=True)
        )  # fmt: skip
    by_hand = _by_hand(folder, workspace)
    for size in HAND_BATCHES:
        found[f"hand-{size}"] = _whole(
            lambda texts, size=size: [by_hand(texts[at : at + size]) for at in range(0, len(texts), size)]
        )
    runs = {"torch": workspace / starter, **{form: workspace / f"{starter}-{form}" for form in ("float", "int8")}}
    for form, path in runs.items():
        predictor = weitiao.load(path)
        found[f"library-{form}"] = _whole(predictor.predict)
        found[f"library-{form}-1"] = _each(lambda text, predictor=predictor: predictor.predict([text]))
    for form in ("float", "int8"):
        address = opened.enter_context(_server(runs[form]))
        found[f"served-{form}"] = _served(address, CONNECTIONS)
        found[f"served-{form}-1"] = _served(address, 1)
    return found


def _each(answer: Callable[[str], Any]) -> Ask:
    """One text at a time."""

    def ask(texts: Sequence[str]) -> list[float]:
        latencies = []
        for text in texts:
            started = time.perf_counter()
            answer(text)
            latencies.append(time.perf_counter() - started)
        return latencies

    return ask


def _whole(answer: Callable[[Sequence[str]], Any]) -> Ask:
    """All texts at once."""

    def ask(texts: Sequence[str]) -> list[float]:
        answer(texts)
        return []

    return ask


def _pipeline(folder: Path) -> Any:
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    return transformers.pipeline("text-classification", model=str(folder), tokenizer=str(folder), device="cpu")


def _by_hand(folder: Path, workspace: Path) -> Callable[[Sequence[str]], Any]:
    """What a user would write: torch's exporter, and a session fed by the tokenizer."""
    import onnxruntime
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    target = workspace / f"by-hand-{folder.parent.name}.onnx"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not target.is_file():
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        inputs = dict(tokenizer(["one text", "another text"], return_tensors="pt"))
        free = {name: {0: "rows", 1: "tokens"} for name in inputs}
        torch.onnx.export(
            model, (), target, kwargs=inputs, dynamo=True, dynamic_shapes={**free}, verbose=False,
            input_names=list(inputs), output_names=["logits"],
        )  # fmt: skip
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    wanted = [each.name for each in session.get_inputs()]

    def answer(texts: Sequence[str]) -> Any:
        encoded = tokenizer(
            list(texts), padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="np"
        )  # fmt: skip
        return session.run(None, {name: encoded[name] for name in wanted})[0].argmax(-1)

    return answer


@contextmanager
def _server(path: Path, *options: str) -> Iterator[tuple[str, int, str]]:
    """`weitiao serve` on a free port: its host and port, and the model's name."""
    process = subprocess.Popen(
        [sys.executable, "-m", "weitiao", "serve", str(path), "--port", "0", "--log", "none", *options],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"http://([\d.]+):(\d+)", line):
                yield found[1], int(found[2]), path.name
                break
        else:
            raise RuntimeError("the server did not start")
    finally:
        process.terminate()
        process.wait(30)


def _served(address: tuple[str, int, str], connections: int) -> Ask:
    """A closed loop of so many connections, one text a request."""
    return lambda texts: asyncio.run(_drive(address, list(texts), connections))


async def _drive(address: tuple[str, int, str], texts: list[str], connections: int) -> list[float]:
    host, port, name = address
    waiting = list(reversed(texts))
    latencies: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while waiting:
            body = json.dumps({"text": waiting.pop()}, ensure_ascii=False).encode()
            head = (
                f"POST /v1/predict/{name} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            started = time.perf_counter()
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer.lower())
            if length is None or not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer.decode("latin-1"))
            await reader.readexactly(int(length[1]))
            latencies.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(one() for _connection in range(connections)))
    return latencies


def _workers(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Speed under load and of a single client, of each number of workers; one after the other in every round."""
    texts = texts_of(settings["starter"], "short", settings["texts"])
    measured: dict[str, list[dict[str, float]]] = {}
    for _number in range(1 if settings["quick"] else ROUNDS):
        for form in ("float", "int8"):
            for count in WORKERS:
                path = workspace / f"{settings['starter']}-{form}"
                with _server(path, "--workers", str(count)) as address:
                    loaded, single = _served(address, CONNECTIONS), _served(address, 1)
                    loaded(texts[:32])
                    speed = {**_timed(single, texts), "loaded": _timed(loaded, texts)["texts_per_second"]}
                measured.setdefault(f"{form}-{count}", []).append(speed)
    return {"servers": measured}


def _work(run_folder: Path, texts: Sequence[str]) -> float:
    """Operations that the texts take without padding, in GFLOP: two a weight of the layers and token."""
    from weitiao.artifact import read_json
    from weitiao.text import load_tokenizer

    config = read_json(run_folder / "model" / "config.json")
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    weights = config["num_hidden_layers"] * (4 * hidden * hidden + 2 * hidden * inner)
    tokenizer = load_tokenizer(run_folder / "model")
    tokens = [min(len(tokenizer.backend.encode(text).ids), MAX_LENGTH) for text in texts]
    attention = sum(4 * config["num_hidden_layers"] * hidden * count * count for count in tokens)
    return round((2 * weights * sum(tokens) + attention) / 1e9, 2)


def _score(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Which of the texts each form answers rightly."""
    import corpora
    import weitiao

    starter = settings["starter"]
    corpus = corpora.load(STARTERS[starter])
    trained = {record.text for record in corpus.sample(TRAIN_ROWS + 400, seed=17)}
    fresh = [*corpus.test, *(record for record in corpus.train if record.text not in trained)][: settings["rows"]]
    right = {}
    for form in ("torch", "float", "int8"):
        path = workspace / (starter if form == "torch" else f"{starter}-{form}")
        answers = weitiao.load(path).predict([record.text for record in fresh])
        right[form] = "".join("01"[each.labels == record.labels] for each, record in zip(answers, fresh, strict=True))
    bytes_of = {
        form: sum(each.stat().st_size for each in (workspace / name / "model").rglob("*") if each.is_file())
        for form, name in (("torch", starter), ("float", f"{starter}-float"), ("int8", f"{starter}-int8"))
    }
    return {"right": right, "bytes": bytes_of}


def summarise(results: Mapping[str, Result]) -> Summary:
    """A row a starter, length and variant; the worst of the sets counts for a bar."""
    rows: list[Row] = []
    ratios: dict[str, list[float]] = {}
    for starter in STARTERS:
        for length in TEXTS:
            rounds = [
                each.measured
                for each in results.values()
                if each.settings["kind"] == "round"
                and (each.settings["starter"], each.settings["length"]) == (starter, length)
            ]
            if rounds:
                rows += _rows(starter, length, rounds)
                for name, value in _ratios(rounds).items():
                    ratios.setdefault(name, []).append(value)
    bars = {
        f"{side}_{name}": Bar(min(ratios.get(f"{side}_{name}", []), default=None), goal)
        for side in ("served", "library")
        for name, (_form, _reference, goal) in GOALS.items()
    }
    for side in ("served", "library"):
        for form in ("float", "int8"):
            worst = min(ratios.get(f"{side}_{form}_p50", []), default=None)
            bars[f"{side}_{form}_p50_over_pipeline"] = Bar(worst, LATENCY_GOAL)
    bars |= _losses(results, rows)
    if (found := results.get("en-workers")) is not None:
        rows += _rows_of_workers(found)
    return Summary(_padded(rows), bars, NOTES)


def _speeds(each: Mapping[str, Any]) -> dict[str, float]:
    """Texts a second of a round's variants, and of the pipeline's and the hand's best batch size."""
    speeds = {name: value["texts_per_second"] for name, value in each["variants"].items()}
    speeds["pipeline-best"] = max(speeds[f"pipeline-{size}"] for size in PIPELINE_BATCHES)
    speeds["hand-best"] = max(speeds[f"hand-{size}"] for size in HAND_BATCHES)
    return speeds


def _ratios(rounds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Medians over the rounds."""
    found: dict[str, float] = {}
    speeds = [_speeds(each) for each in rounds]
    for side in ("served", "library"):
        for name, (form, reference, _goal) in GOALS.items():
            values = [each[f"{side}-{form}"] / each[reference] for each in speeds]
            found[f"{side}_{name}"] = round(statistics.median(values), 2)
        for form in ("float", "int8"):
            alone = [(each["variants"]["pipeline-1"], each["variants"][f"{side}-{form}-1"]) for each in rounds]
            values = [pipeline["p50_ms"] / ours["p50_ms"] for pipeline, ours in alone]
            found[f"{side}_{form}_p50"] = round(statistics.median(values), 2)
    return found


def _rows(starter: str, length: str, rounds: Sequence[Mapping[str, Any]]) -> list[Row]:
    speeds = [_speeds(each) for each in rounds]
    made = []
    for name in speeds[0]:
        alone = [each["variants"][name]["p50_ms"] for each in rounds if name in each["variants"]]
        peak = [
            each["work_gflop"] * speed[name] / each["texts"] / each["gflops"]
            for each, speed in zip(rounds, speeds, strict=True)
        ]
        made.append({
            "starter": starter, "texts": length, "variant": name, "rounds": len(rounds),
            "texts_per_second": round(statistics.median(each[name] for each in speeds), 1),
            "over_pipeline_1": round(statistics.median(each[name] / each["pipeline-1"] for each in speeds), 2),
            "p50_ms": round(statistics.median(alone), 2) if any(alone) else None,
            "share_of_gemm_peak": round(statistics.median(peak), 3),
        })  # fmt: skip
    return made


def _rows_of_workers(found: Result) -> list[Row]:
    return [
        {
            "starter": found.settings["starter"], "texts": "short",
            "variant": f"served-{name.replace('-', ', workers ')}",
            "rounds": len(rounds),
            "texts_per_second": round(statistics.median(each["loaded"] for each in rounds), 1),
            "p50_ms": round(statistics.median(each["p50_ms"] for each in rounds), 2),
        }
        for name, rounds in found.measured["servers"].items()
    ]  # fmt: skip


def _losses(results: Mapping[str, Result], rows: list[Row]) -> dict[str, Bar]:
    """Points that int8 loses against float32, on the same texts."""
    bars = {}
    for starter in STARTERS:
        found = results.get(f"{starter}-score")
        if found is None:
            continue
        right, size = found.measured["right"], found.measured["bytes"]
        lost = spread.accuracy(right["torch"]) - spread.accuracy(right["int8"])
        low, high = spread.over_rows([right["torch"]], [right["int8"]])
        bars[f"{starter}_int8_score_loss"] = Bar(round(lost, 4), LOSS_GOAL, at_least=False)
        rows.append({
            "starter": starter, "texts": f"{len(right['torch'])} scored", "variant": "int8 against torch",
            "accuracy": round(spread.accuracy(right["int8"]), 4),
            "lost": [round(each, 4) for each in (lost, low, high)],
            "bytes_of_torch": round(size["int8"] / size["torch"], 3),
        })  # fmt: skip
    return bars


def _padded(rows: Sequence[Row]) -> list[Row]:
    """Every row with the same keys."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return [{key: row.get(key) for key in keys} for row in rows]


NOTES = (
    f"Classifiers with the family's own head, {TRAIN_ROWS:,} training rows (sst2, waimai_10k), texts cut at "
    f"{MAX_LENGTH} tokens; short: sst2 and waimai_10k, long: bank_faq and cmrc2018.",
    "library: `Predictor.predict` on all texts at once; -1: one text a call. served: `weitiao serve` on loopback, one "
    f"text a request, {CONNECTIONS} connections (-1: one), the load generator on the same cores.",
    "served, workers N: `--workers N` on the same texts, 0 being the server's own process; p50 of one connection, "
    "texts a second of all.",
    "hand: torch's ONNX export and a session fed by the tokenizer, so many texts a call, in the order given.",
    "share_of_gemm_peak: operations without padding, over time, over the fastest fp32 matrix product of the round; "
    "int8 may go beyond 1.",
    "A bar takes the worst of the sets measured; p50 at one text a call.",
)


if __name__ == "__main__":
    about = "Throughput and latency beside transformers.pipeline and ONNX Runtime by hand, float32 and int8."
    run(Benchmark("serving", about, cells, measure, summarise, prepare))
