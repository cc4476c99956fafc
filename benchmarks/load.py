"""Does the server hold its load, refuse what is above it, and lose nothing when it is stopped or a worker dies?

A classifier on starter:en behind the real server on loopback. Its capacity is measured with as many requests as it
answers (closed loop); then single short texts arrive at random moments (Poisson) at 80 % of that, and at 150 %, whether
or not the earlier ones are answered. A latency counts from the moment at which the request was due. Beside it: memory
of all the server's processes, SIGTERM under load, and SIGKILL of one of two workers. The load generator's CPU is told.

    python benchmarks/load.py --quick --json
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np

import machine
from harness import RESULTS, Bar, Benchmark, Cell, Result, Settings, Summary, run
from weitiao.serving.crew.waiting import BATCH_TOKENS

STARTER, MODEL, SEED = "starter:en", "load", 11
BELOW, ABOVE = 0.8, 1.5  # of the measured capacity
CLIENTS = 32  # of the closed loop
SAMPLE, APART = 50, 1e-5  # answers that are compared with `predict`, and how far their probabilities may be apart
WORDS = ["quick", "brown", "fox", "jumps", "lazy", "dog", "warm", "funny", "moving", "film", "dull", "parcel"]


def cells(quick: bool) -> list[Cell]:
    """One phase of load a cell; each measures the capacity before."""
    below, above, short = (6, 4, 4) if quick else (300, 120, 20)
    base = {"seed": SEED, "capacity_seconds": 4 if quick else 20, "cpu": machine.facts()["cpu"]}
    return [
        Cell("below", {**base, "workers": 1, "share": BELOW, "seconds": below, "event": "none"}),
        Cell("above", {**base, "workers": 1, "share": ABOVE, "seconds": above, "event": "none"}),
        Cell("sigterm", {**base, "workers": 1, "share": BELOW, "seconds": short, "event": "sigterm"}),
        Cell("sigkill", {**base, "workers": 2, "share": 0.5, "seconds": 2 * short, "event": "sigkill"}),
    ]


def prepare(workspace: Path, _quick: bool) -> None:
    """A run with the starter's body and a head that nobody trained: as fast as one that somebody did."""
    import torch

    from weitiao.models.network import NetworkSpec, build
    from weitiao.models.starters import prepare as starter

    torch.manual_seed(SEED)
    pretrained, model = starter(STARTER.partition(":")[2]), workspace / MODEL / "model"
    model.mkdir(parents=True)
    labels = ["negative", "positive"]
    build(pretrained, NetworkSpec(head="classify", kind="mean", labels=labels)).save(model)
    for path in pretrained.glob("tokenizer*"):
        shutil.copy(path, model / path.name)
    card = {
        "weitiao": "benchmark", "task": "classify", "options": {}, "labels": labels, "settings": {},
        "network": {"head": "classify", "kind": "mean"}, "max_length": 256, "name": MODEL,
    }  # fmt: skip
    (model / "task.json").write_text(json.dumps(card), "utf-8")
    (workspace / MODEL / "recipe.yaml").write_text(f"task: classify\nmodel: {STARTER}\ndata: none.csv\n", "utf-8")


@dataclass
class Server:
    """The server under load."""

    process: asyncio.subprocess.Process
    port: int

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(each) for path in children for each in path.read_text().split()]

    def memory(self) -> float:
        """MB of the server and its workers; pages that they share count once."""
        total = 0
        for pid in (self.process.pid, *self.workers()):
            with suppress(OSError):
                found = re.search(r"Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
                total += int(found[1]) if found else 0
        return total / 1024


@asynccontextmanager
async def serving(run_folder: Path, workers: int) -> AsyncIterator[Server]:
    """A running `weitiao serve`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "weitiao", "serve", str(run_folder), "--port", "0", "--workers", str(workers),
        "--log", "none", "--deadline", "10", stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said, found = "", None
    while found is None:
        line = (await process.stderr.readline()).decode()
        if not line:
            raise SystemExit(f"the server did not start:\n{said}")
        said += line
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
    try:
        yield Server(process, int(found[1]))
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@dataclass
class Client:
    """Asks single texts on connections that stay open; counts what comes back."""

    port: int
    rng: random.Random
    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)  # of the first texts, to be compared
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def ask(self, due: float) -> None:
        """One request; `lost` is one that was sent and never answered."""
        text = " ".join(self.rng.choices(WORDS, k=self.rng.randint(4, 24)))
        try:
            status, body = await self._exchange(_request(text))
        except ConnectionRefusedError:
            status = "refused"
        except (OSError, asyncio.IncompleteReadError):
            status = "lost"
        self.statuses[status] += 1
        if status == "200":
            self.latencies.append(time.perf_counter() - due)
            if len(self.answers) < SAMPLE:
                self.answers[text] = json.loads(body)["predictions"][0]

    async def _exchange(self, request: bytes) -> tuple[str, bytes]:
        """(status, body); a request that was written is never written again, whatever becomes of it."""
        reader, writer = await self._connected()
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            raise
        if b"connection: close" in head.lower():
            writer.close()
        else:
            self._idle.append((reader, writer))
        return head.split(b" ", 2)[1].decode(), body

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that the server has not closed so far."""
        await asyncio.sleep(0)  # so that what it has closed is known
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self.port)

    def close(self) -> None:
        """Hang up."""
        for _reader, writer in self._idle:
            writer.close()


def _request(text: str) -> bytes:
    body = json.dumps({"text": text}).encode()
    head = f"POST /v1/predict/{MODEL} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def capacity(client: Client, seconds: float) -> float:
    """Requests a second, where each client asks once it is answered; the first second is not counted."""
    end = time.perf_counter() + seconds

    async def one_after_the_other() -> None:
        while time.perf_counter() < end:
            await client.ask(time.perf_counter())

    asking = [asyncio.create_task(one_after_the_other()) for _client in range(CLIENTS)]
    await asyncio.sleep(1)
    before, began = client.statuses["200"], time.perf_counter()
    await asyncio.gather(*asking)
    return (client.statuses["200"] - before) / (time.perf_counter() - began)


async def arrivals(client: Client, rate: float, seconds: float) -> None:
    """Requests at random moments, each in its time, however long the others take."""
    due = time.perf_counter()
    end, asking = due + seconds, set()
    while (due := due + client.rng.expovariate(rate)) < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(client.ask(due))
        asking.add(task)
        task.add_done_callback(asking.discard)
    await asyncio.gather(*asking)


async def strike(server: Server, event: str, after: float) -> None:
    """What happens in the middle of the load."""
    await asyncio.sleep(after)
    if event == "sigterm":
        server.process.terminate()
    elif event == "sigkill":
        os.kill(server.workers()[0], signal.SIGKILL)


async def watch(server: Server, memory: list[tuple[float, float]]) -> None:
    """Memory each second."""
    began = time.perf_counter()
    while True:
        memory.append((round(time.perf_counter() - began, 1), round(server.memory(), 1)))
        await asyncio.sleep(1)


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One phase of load on a server of its own."""
    return asyncio.run(_measure(settings, workspace))


async def _measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    async with serving(workspace / MODEL, settings["workers"]) as server:
        warm = Client(server.port, random.Random(settings["seed"]))
        able = await capacity(warm, settings["capacity_seconds"])
        warm.close()
        memory: list[tuple[float, float]] = []
        watching = asyncio.create_task(watch(server, memory))
        client = Client(server.port, random.Random(settings["seed"] + 1))
        cpu = _own_cpu()
        striking = asyncio.create_task(strike(server, settings["event"], settings["seconds"] / 2))
        await arrivals(client, settings["share"] * able, settings["seconds"])
        await striking
        watching.cancel()
        client.close()
        largest = await asyncio.to_thread(largest_batch, server.port) if settings["event"] == "sigkill" else None
        code = await server.process.wait() if settings["event"] == "sigterm" else None
        replaced = len(server.workers()) == settings["workers"] if settings["event"] == "sigkill" else None
    return {
        "capacity": able, "rate": settings["share"] * able, "statuses": dict(client.statuses),
        "answered": len(client.latencies), "memory": memory,
        "generator_cores": (_own_cpu() - cpu) / settings["seconds"],
        "exit": code, "replaced": replaced, "largest_batch": largest,
        "different": different(workspace / MODEL, client.answers), **_percentiles(client.latencies),
    }  # fmt: skip


def largest_batch(port: int) -> float:
    """Records of the largest batch that was answered, as the buckets at /metrics bound it from above."""
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    found = re.findall(r'weitiao_batch_records_bucket\{[^}]*le="([^"]+)"[^}]*\} (\S+)', text)
    buckets = [(float(bound), float(count)) for bound, count in found]
    most = max(count for _bound, count in buckets)
    return min(min(bound for bound, count in buckets if count == most), float(BATCH_TOKENS))


def different(run_folder: Path, answers: Mapping[str, Any]) -> int:
    """How many of the answers are not those of `predict`: another label, or a probability that is further off."""
    from weitiao.serving.predictor import Predictor

    plain = Predictor.load(run_folder).predict(list(answers)) if answers else []
    return sum(
        tuple(got["labels"]) != own.labels
        or any(abs(got["scores"][name] - own.scores[name]) > APART for name in own.scores)
        for got, own in zip(answers.values(), plain, strict=True)
    )


def _percentiles(latencies: Sequence[float]) -> dict[str, float | None]:
    values = {f"p{share}_ms": share for share in (50, 95, 99)}
    return {
        name: 1000 * float(np.percentile(latencies, share)) if latencies else None for name, share in values.items()
    }


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def summarise(results: Mapping[str, Result]) -> Summary:
    """A row a phase, and what must not be."""
    rows = [_row(name, each.measured) for name, each in results.items()]
    found = {name: each.measured for name, each in results.items()}
    if found and not all(each.settings["seconds"] < 60 for each in results.values()):
        plot({name: each["memory"] for name, each in found.items() if each["memory"]}, RESULTS / "load" / "memory.svg")
    return Summary(rows, dict(_bars(found)), NOTES)


def _row(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "phase": name, "capacity": found["capacity"], "rate": found["rate"],
        **{key: found[key] for key in ("p50_ms", "p95_ms", "p99_ms")},
        "statuses": " ".join(f"{status}:{count}" for status, count in sorted(found["statuses"].items())),
        "memory_mb": [found["memory"][0][1], max(mb for _second, mb in found["memory"])],
        "generator_cores": found["generator_cores"],
    }  # fmt: skip


def _bars(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Bar]:
    count = lambda name, *kinds: float(sum(found[name]["statuses"].get(kind, 0) for kind in kinds))  # noqa: E731
    bars = {f"different_{name}": Bar(float(each["different"]), 0, at_least=False) for name, each in found.items()}
    if "below" in found:
        bars["not_200_below_capacity"] = Bar(count("below", "429", "503", "500", "lost", "refused"), 0, at_least=False)
    if "above" in found:
        bars["5xx_or_lost_above_capacity"] = Bar(count("above", "503", "500", "lost", "refused"), 0, at_least=False)
        memory = [mb for _second, mb in found["above"]["memory"]]
        bars["memory_growth_above_capacity"] = Bar(max(memory) / memory[0], 1.5, at_least=False)
    if "sigterm" in found:
        bars["lost_at_sigterm"] = Bar(count("sigterm", "lost"), 0, at_least=False)
        bars["exit_code_at_sigterm"] = Bar(float(found["sigterm"]["exit"]), 0, at_least=False)
    if "sigkill" in found:
        bars["lost_at_sigkill"] = Bar(count("sigkill", "lost", "500", "refused"), 0, at_least=False)
        bars["503_at_sigkill"] = Bar(count("sigkill", "503"), found["sigkill"]["largest_batch"], at_least=False)
        bars["worker_replaced"] = Bar(float(found["sigkill"]["replaced"]), 1)
    return bars


def plot(memory: Mapping[str, Sequence[tuple[float, float]]], path: Path) -> None:
    """Memory over time, one line a phase."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 2.5), layout="constrained")
    for name, series in memory.items():
        axes.plot(*zip(*series, strict=True), label=name, linewidth=1)
    axes.set(xlabel="seconds", ylabel="MB (Pss)", ylim=(0, None))
    axes.legend(frameon=False, ncols=len(memory))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


NOTES = (
    "capacity, rate: requests a second, one short text each; capacity with 32 clients, each asking once answered.",
    "Percentiles: of answers of 200, from the moment at which the request was due. memory_mb: at the beginning and at "
    "most, of all the server's processes, pages that they share once.",
    "sigterm, sigkill: in the middle of the phase; refused: the server did not listen any more; lost: sent, never "
    "answered. At sigkill the batch is lost that the worker had: no more 503 than the largest one has records.",
    "different: of 50 answers, those that are not what `predict` says within 1e-5. generator_cores: that this script "
    "used; it shares the machine with the server.",
)

if __name__ == "__main__":
    about = "The server at 80 % and at 150 % of its capacity, told to end, and with a worker killed."
    run(Benchmark("load", about, cells, measure, summarise, prepare))
