"""How fast does our loop train, beside `transformers.Trainer`, at the same recipe and with dropout of true semantics?

A round fits every variant once, one after the other in one process and each from the same saved folder; the order
rotates from round to round, and a round in which another process used the machine is measured again. Frozen layers are
compared with full fine-tuning over whole fits, cache included. Peak memory is taken in a process a variant, on the same
rows.

    python benchmarks/training_speed.py --quick --json
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import machine
import spread
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run

ROUNDS = 5
DISTURBED = 0.15  # cores that other processes may use while a variant is timed
FROZEN_LAYERS, FREEZE_EPOCHS, RATE = 4, 3, 2e-4


@dataclass(frozen=True, slots=True)
class TextSet:
    """What is trained on.

    Args:
        corpus: of corpora.py.
        batch_size: rows a step.
        steps: steps a round; a whole sorted pool of `group_by_length`, which begins with its longest rows.
        freeze_rows: rows of the comparison with frozen layers.
    """

    corpus: str
    batch_size: int
    steps: int
    freeze_rows: int


TEXTS = {
    "short": TextSet("semeval2010_task8", 32, 50, 1600),
    "short-sst2": TextSet("sst2", 32, 50, 1600),
    "long": TextSet("bank_faq", 16, 35, 560),
}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "trainer-longest": {"order": "random", "pad_to_longest": True},
    "trainer-default": {"order": "random"},
    "trainer-grouped": {"order": "grouped"},
    "ours-random": {"order": "random"},
    "ours-grouped": {"order": "grouped"},
}
RATIOS = {  # bars of the issue: name -> (variant, reference, goal)
    "grouped_over_trainer_grouped": ("ours-grouped", "trainer-grouped", 1.15),
    "grouped_over_trainer_default": ("ours-grouped", "trainer-default", 2.2),
    "random_over_trainer_default": ("ours-random", "trainer-default", 1.6),
    "grouped_over_trainer_longest": ("ours-grouped", "trainer-longest", 5.0),
}
FREEZE_GOAL = 3.0


def cells(quick: bool) -> list[Cell]:
    """The peak, then rounds, frozen layers and memory of each set of texts."""
    cpu = machine.facts()["cpu"]
    rounds = 1 if quick else ROUNDS
    made = [Cell("gemm-peak", {"kind": "peak", "cpu": cpu, "quick": quick})]
    for name in ("short",) if quick else TEXTS:
        common = {"texts": name, "cpu": cpu, "quick": quick}
        made += [Cell(f"{name}-round-{index}", {**common, "kind": "round", "index": index}) for index in range(rounds)]
        made += [
            Cell(f"{name}-freeze-{index}", {**common, "kind": "freeze", "index": index}) for index in range(rounds)
        ]
        if not quick:
            made += [Cell(f"{name}-memory-{each}", {**common, "kind": "memory", "variant": each}) for each in VARIANTS]
    return made


def prepare(workspace: Path, quick: bool) -> None:
    """Save the folders that every cell starts from."""
    import corpora
    import fitting

    for name in ("short",) if quick else TEXTS:
        fitting.save_start(corpora.load(TEXTS[name].corpus), workspace)


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One cell."""
    return {"peak": _peak, "round": _round, "freeze": _freeze, "memory": _memory}[settings["kind"]](settings, workspace)


def _peak(settings: Settings, workspace: Path) -> dict[str, Any]:  # noqa: ARG001
    with machine.watch() as seen:
        gflops = machine.gemm_peak()
    return {"gflops": gflops, "disturbed": seen.disturbed(DISTURBED)}


def _round(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Every variant once, in rotated order."""
    texts, index = TEXTS[settings["texts"]], settings["index"]
    steps = 4 if settings["quick"] else texts.steps
    names = list(VARIANTS)
    names = names[index % len(names) :] + names[: index % len(names)]
    for name in names:  # first use of each code path: kernels are chosen, memory is mapped
        _fit(name, texts, workspace, steps=2, seed=index)
    measured = {name: _timed(name, texts, workspace, steps, index) for name in names}
    return {"variants": measured, "disturbed": any(each["disturbed"] for each in measured.values())}


def _timed(name: str, texts: TextSet, workspace: Path, steps: int, seed: int) -> dict[str, Any]:
    """One variant's speed and score."""
    import fitting

    with machine.watch() as seen:
        fitted = _fit(name, texts, workspace, steps=steps, seed=seed)
    encoded = _encoded(texts.corpus, workspace)
    config = fitted.model.config if hasattr(fitted.model, "config") else fitted.model.backbone.config
    mean = sum(fitted.tokens) / (steps * texts.batch_size)
    return {
        "tokens_per_second": round(fitted.tokens_per_second, 1),
        "tokens": sum(fitted.tokens),
        "mean_tokens": round(mean, 1),
        "padded": round(sum(fitted.padded) / sum(fitted.tokens), 3),
        "seconds": round(fitted.seconds, 3),
        "flops_a_token": fitting.flops(config, (len(row) for row in encoded.train)) / sum(map(len, encoded.train)),
        "accuracy": spread.accuracy(fitting.correct(fitted.model, encoded.test)),
        "foreign_cores": seen.foreign_cores,
        "disturbed": seen.disturbed(DISTURBED),
    }


def _fit(
    name: str, texts: TextSet, workspace: Path, *, steps: int, seed: int, rows: Sequence[Any] | None = None
) -> Any:
    """A fit of one variant, from the saved folder."""
    import fitting

    gc.collect()
    spec = fitting.FitSpec(steps=steps, batch_size=texts.batch_size, learning_rate=RATE, seed=seed, **VARIANTS[name])
    start = fitting.start_of(texts.corpus, workspace)
    encoded = _encoded(texts.corpus, workspace)
    if rows is not None:
        encoded = fitting.Texts(rows, encoded.test, encoded.labels)
    if name.startswith("trainer"):
        return fitting.fit_trainer(start, encoded, spec, workspace / "trainer")
    return fitting.fit_ours(start, encoded, spec, fitting.fresh(workspace))


@lru_cache(maxsize=1)
def _encoded(corpus: str, workspace: Path) -> Any:
    """All rows of a corpus; grouping needs them all to find its like."""
    import corpora
    import fitting

    return fitting.encode(corpora.load(corpus), fitting.start_of(corpus, workspace), None, seed=0, test_rows=1000)


def _freeze(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Whole fits of the same rows: everything learns, and only what lies above the frozen layers, cache included."""
    import corpora
    import fitting

    texts, index = TEXTS[settings["texts"]], settings["index"]
    corpus, start = corpora.load(texts.corpus), fitting.start_of(texts.corpus, workspace)
    rows = 128 if settings["quick"] else texts.freeze_rows
    encoded = fitting.encode(corpus, start, rows, index, test_rows=1000)
    methods: dict[str, dict[str, Any]] = {"full": {}, "freeze": {"layers": FROZEN_LAYERS}}
    measured = {}
    for name in ("full", "freeze") if index % 2 else ("freeze", "full"):
        spec = fitting.FitSpec(
            epochs=FREEZE_EPOCHS, batch_size=texts.batch_size, learning_rate=RATE, order="grouped", seed=index,
            method=name, options=methods[name],
        )  # fmt: skip
        gc.collect()
        with machine.watch() as seen:
            fitted = fitting.fit_ours(start, encoded, spec, fitting.fresh(workspace))
        measured[name] = {
            "seconds": round(fitted.seconds, 3),
            "cache_seconds": round(fitted.prepared, 3),
            "tokens_per_second": round(fitted.tokens_per_second, 1),
            "accuracy": spread.accuracy(fitting.correct(fitted.model, encoded.test)),
            "foreign_cores": seen.foreign_cores,
            "disturbed": seen.disturbed(DISTURBED),
        }
    return {"methods": measured, "disturbed": any(each["disturbed"] for each in measured.values())}


def _memory(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Peak resident memory of one variant, and how much of it training added; the longest rows are among its rows."""
    texts = TEXTS[settings["texts"]]
    train = sorted(_encoded(texts.corpus, workspace).train, key=len, reverse=True)
    longest, count = train[: texts.batch_size], 20 * texts.batch_size
    rows = longest + train[texts.batch_size :: max(1, (len(train) - texts.batch_size) // (count - texts.batch_size))]
    if settings["variant"].startswith("trainer"):
        import transformers.trainer  # noqa: F401  what importing costs is not what training costs
    before = machine.resident_mb()
    _fit(settings["variant"], texts, workspace, steps=-(-len(rows) // texts.batch_size), seed=0, rows=rows)
    peak = machine.peak_mb()
    return {"peak_mb": peak, "added_mb": round(peak - before, 1)}


def summarise(results: Mapping[str, Result]) -> Summary:
    """Medians over rounds; ratios are taken within a round."""
    peak = results["gemm-peak"].measured["gflops"] if "gemm-peak" in results else None
    rows: list[Row] = []
    bars: dict[str, Bar] = {}
    for texts in TEXTS:
        rounds = _measured(results, f"{texts}-round-", "variants")
        freezes = _measured(results, f"{texts}-freeze-", "methods")
        memory = {each: results[name].measured for each in VARIANTS if (name := f"{texts}-memory-{each}") in results}
        rows += [
            _row(texts, name, [each[name] for each in rounds], memory.get(name), peak) for name in VARIANTS if rounds
        ]
        rows += [
            _row(texts, f"ours-{name}-3-epochs", [each[name] for each in freezes], None, None)
            for name in ("full", "freeze")
            if freezes
        ]
        bars |= _bars(texts, rounds, freezes, memory)
    return Summary(rows, bars, _notes(results, peak))


def _measured(results: Mapping[str, Result], prefix: str, key: str) -> list[Mapping[str, Any]]:
    """Rounds that nobody disturbed, or all of them where no round went by undisturbed."""
    found = [each for name, each in results.items() if name.startswith(prefix)]
    clean = [each for each in found if not each.measured["disturbed"]]
    return [each.measured[key] for each in clean or found]


def _row(
    texts: str, name: str, rounds: Sequence[Mapping[str, Any]], memory: Mapping[str, Any] | None, peak: float | None
) -> Row:
    speeds = [each["tokens_per_second"] for each in rounds]
    middle, ends = spread.median_and_range(speeds)
    work = rounds[0].get("flops_a_token")
    return {
        "texts": texts,
        "variant": name,
        "rounds": len(rounds),
        "tokens_per_second": middle,
        "range": ends,
        "gemm_share": round(middle * work / (peak * 1e9), 3) if work and peak else None,
        "padded_per_real": statistics.median(each["padded"] for each in rounds) if "padded" in rounds[0] else None,
        "seconds": statistics.median(each["seconds"] for each in rounds),
        "accuracy": round(statistics.fmean(each["accuracy"] for each in rounds), 4),
        "peak_mb": memory["peak_mb"] if memory else None,
        "added_mb": memory["added_mb"] if memory else None,
    }


def _bars(
    texts: str, rounds: Sequence[Mapping[str, Any]], freezes: Sequence[Mapping[str, Any]], memory: Mapping[str, Any]
) -> dict[str, Bar]:
    bars = {}
    for name, (ours, theirs, goal) in RATIOS.items():
        ratios = [each[ours]["tokens_per_second"] / each[theirs]["tokens_per_second"] for each in rounds]
        bars[f"{texts}_{name}"] = Bar(_median(ratios), goal)
    gains = [each["full"]["seconds"] / each["freeze"]["seconds"] for each in freezes]
    bars[f"{texts}_freeze_over_full"] = Bar(_median(gains), FREEZE_GOAL)
    for ours, theirs in (("ours-grouped", "trainer-grouped"), ("ours-random", "trainer-default")):
        both = ours in memory and theirs in memory
        share = round(memory[ours]["added_mb"] / memory[theirs]["added_mb"], 3) if both else None
        bars[f"{texts}_memory_{ours}_of_{theirs}"] = Bar(share, 1.0, at_least=False)
    return bars


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


def _notes(results: Mapping[str, Result], peak: float | None) -> list[str]:
    means = {
        texts: rounds[0]["ours-random"]["mean_tokens"]
        for texts in TEXTS
        if (rounds := _measured(results, f"{texts}-round-", "variants"))
    }
    described = "; ".join(
        f"{name}: {TEXTS[name].corpus}, {mean} tokens a text, batch {TEXTS[name].batch_size}, {TEXTS[name].steps} steps"
        for name, mean in means.items()
    )
    return [
        f"Texts: {described}. Model: starter:en, dropout 0.1, AdamW, linear schedule, learning rate {RATE}.",
        f"GEMM peak of this machine: {peak} GFLOP/s (fp32). gemm_share: useful operations of forward and backward "
        "(2 (4 H^2 + 2 H F) a token and layer, 4 L H in attention, times three; padding not counted) by time and peak.",
        f"freeze trains fewer parameters: embeddings and the lower {FROZEN_LAYERS} of 6 layers stand still; its time "
        "includes filling the cache.",
        "peak_mb: resident memory of a process that trains this variant alone; added_mb: what training added to it, "
        "which the bars compare.",
    ]


if __name__ == "__main__":
    about = "Training speed in real tokens per second, beside transformers.Trainer at the same recipe."
    run(Benchmark("training_speed", about, cells, measure, summarise, prepare))
