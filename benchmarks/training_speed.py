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
from pathlib import Path
from typing import Any

import machine
import spread
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run

DISTURBED = 0.15  # cores that other processes may use while a variant is timed
FROZEN_LAYERS, FREEZE_EPOCHS, FREEZE_ROUNDS, RATE = 4, 3, 2, 2e-4
LONGEST_STEPS, MEMORY_STEPS, QUICK_STEPS = 8, 10, 4


@dataclass(frozen=True, slots=True)
class TextSet:
    """What is trained on.

    Args:
        corpus: of corpora.py.
        batch_size: rows a step.
        pool: steps of a whole sorted pool of `group_by_length`, which begins with its longest rows.
        rounds: of all variants.
        freeze_rows: rows of the comparison with frozen layers.
    """

    corpus: str
    batch_size: int
    pool: int
    rounds: int
    freeze_rows: int


TEXTS = {"short": TextSet("semeval2010_task8", 32, 50, 3, 1000), "long": TextSet("bank_faq", 16, 35, 3, 320)}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "trainer-longest": {"order": "random", "pad_to_longest": True},
    "trainer-default": {"order": "random"},
    "trainer-grouped": {"order": "grouped"},
    "ours-random": {"order": "random"},
    "ours-grouped": {"order": "grouped"},
}
METHODS: Mapping[str, Mapping[str, Any]] = {
    "full": {"order": "grouped"},
    "freeze": {"order": "grouped", "method": "freeze", "options": {"layers": FROZEN_LAYERS}},
}
RATIOS = {  # bars of the issue: name -> (variant, reference, goal)
    "grouped_over_trainer_grouped": ("ours-grouped", "trainer-grouped", 1.15),
    "grouped_over_trainer_default": ("ours-grouped", "trainer-default", 2.2),
    "random_over_trainer_default": ("ours-random", "trainer-default", 1.6),
    "grouped_over_trainer_longest": ("ours-grouped", "trainer-longest", 5.0),
}
FREEZE_GOAL = 3.0


def cells(quick: bool) -> list[Cell]:
    """The machine's peak, rounds, frozen layers and memory of each set of texts."""
    made: list[Cell] = []
    for name in ("short",) if quick else TEXTS:
        texts, common = TEXTS[name], {"texts": name, "quick": quick}
        steps = {each: QUICK_STEPS if quick else _steps(each, texts) for each in VARIANTS}
        rows = 4 * texts.batch_size if quick else texts.freeze_rows
        made.append(Cell(f"{name}-peak", {**common, "kind": "peak"}))
        made += [
            Cell(f"{name}-round-{index}", {**common, "kind": "round", "index": index, "steps": steps})
            for index in range(1 if quick else texts.rounds)
        ]
        made += [
            Cell(f"{name}-freeze-{index}", {**common, "kind": "freeze", "index": index, "rows": rows})
            for index in range(1 if quick else FREEZE_ROUNDS)
        ]
        memory = {**common, "kind": "memory", "steps": MEMORY_STEPS}
        made += [
            Cell(f"{name}-memory-{each}", {**memory, "variant": each})
            for each in (() if quick else (*VARIANTS, *METHODS))
        ]
    return made


def _steps(variant: str, texts: TextSet) -> int:
    """A pool where rows are grouped, half of it in random order, a few steps where all are padded to the longest."""
    if VARIANTS[variant].get("pad_to_longest"):
        return LONGEST_STEPS
    return texts.pool if VARIANTS[variant]["order"] == "grouped" else -(-texts.pool // 2)


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
    encoded = _encoded(texts.corpus, workspace)
    names = list(VARIANTS)
    names = names[index % len(names) :] + names[: index % len(names)]
    for name in names:  # first use of each code path: kernels are chosen, memory is mapped
        _fit(name, texts, encoded, workspace, steps=1, seed=index)
    measured = {
        name: _timed(name, texts, encoded, workspace, seed=index, steps=settings["steps"][name]) for name in names
    }
    return {"variants": measured, "disturbed": any(each["disturbed"] for each in measured.values())}


def _freeze(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Whole fits of the same rows: everything learns, and only what lies above the frozen layers, cache included."""
    import corpora
    import fitting

    texts, index = TEXTS[settings["texts"]], settings["index"]
    start = fitting.start_of(texts.corpus, workspace)
    encoded = fitting.encode(corpora.load(texts.corpus), start, settings["rows"], index, test_rows=1000)
    names = list(METHODS)[:: 1 if index % 2 else -1]
    measured = {name: _timed(name, texts, encoded, workspace, seed=index, epochs=FREEZE_EPOCHS) for name in names}
    return {"methods": measured, "disturbed": any(each["disturbed"] for each in measured.values())}


def _timed(name: str, texts: TextSet, encoded: Any, workspace: Path, **spec: Any) -> dict[str, Any]:
    """Speed and score of one fit."""
    import fitting

    with machine.watch() as seen:
        fitted = _fit(name, texts, encoded, workspace, **spec)
    config = fitted.model.config if hasattr(fitted.model, "config") else fitted.model.backbone.config
    frozen, epochs = FROZEN_LAYERS if name == "freeze" else 0, spec.get("epochs", 1)
    lengths = [len(row) for row in encoded.train]
    return {
        "tokens_per_second": round(fitted.tokens_per_second, 1),
        "tokens": sum(fitted.tokens),
        "steps": len(fitted.tokens),
        "mean_tokens": round(sum(fitted.tokens) / (spec["steps"] * texts.batch_size), 1) if "steps" in spec else None,
        "padded": round(sum(fitted.padded) / sum(fitted.tokens), 3),
        "seconds": round(fitted.seconds, 3),
        "cache_seconds": round(fitted.prepared, 3),
        "flops_a_token": fitting.flops(config, lengths, frozen=frozen, epochs=epochs) / (epochs * sum(lengths)),
        "accuracy": spread.accuracy(fitting.correct(fitted.model, encoded.test)),
        "foreign_cores": seen.foreign_cores,
        "disturbed": seen.disturbed(DISTURBED),
    }


def _fit(name: str, texts: TextSet, encoded: Any, workspace: Path, **spec: Any) -> Any:
    """A fit of one variant or method, from the saved folder."""
    import fitting

    gc.collect()
    named = {**VARIANTS, **METHODS}[name]
    whole = fitting.FitSpec(batch_size=texts.batch_size, learning_rate=RATE, **named, **spec)
    start = fitting.start_of(texts.corpus, workspace)
    if name.startswith("trainer"):
        return fitting.fit_trainer(start, encoded, whole, workspace / "trainer")
    return fitting.fit_ours(start, encoded, whole, fitting.fresh(workspace))


def _encoded(corpus: str, workspace: Path) -> Any:
    """All rows of a corpus; grouping needs them all to find its like."""
    import corpora
    import fitting

    return fitting.encode(corpora.load(corpus), fitting.start_of(corpus, workspace), None, seed=0, test_rows=1000)


def _memory(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Peak resident memory of one variant, and how much of it training added; the longest rows are among its rows."""
    import fitting

    texts, steps = TEXTS[settings["texts"]], settings["steps"]
    encoded = _encoded(texts.corpus, workspace)
    train = sorted(encoded.train, key=len, reverse=True)
    longest, others = train[: texts.batch_size], train[texts.batch_size :]
    rows = longest + others[:: max(1, len(others) // ((steps - 1) * texts.batch_size))]
    chosen = fitting.Texts(rows[: steps * texts.batch_size], encoded.test, encoded.labels)
    if settings["variant"].startswith("trainer"):
        import transformers.trainer  # noqa: F401  what importing costs is not what training costs
    before = machine.resident_mb()
    _fit(settings["variant"], texts, chosen, workspace, epochs=1, seed=0)
    peak = machine.peak_mb()
    return {"peak_mb": peak, "added_mb": round(peak - before, 1)}


def summarise(results: Mapping[str, Result]) -> Summary:
    """Medians over rounds; ratios are taken within a round."""
    rows: list[Row] = []
    bars: dict[str, Bar] = {}
    for texts in TEXTS:
        peak = _gemm_peak(results, texts)
        rounds = _measured(results, f"{texts}-round-", "variants")
        freezes = _measured(results, f"{texts}-freeze-", "methods")
        memory = {
            each: results[name].measured
            for each in (*VARIANTS, *METHODS)
            if (name := f"{texts}-memory-{each}") in results
        }
        rows += [
            _row(texts, name, [each[name] for each in rounds], memory.get(name), peak) for name in VARIANTS if rounds
        ]
        rows += [
            {**_row(texts, name, [each[name] for each in freezes], memory.get(name), peak), "variant": label}
            for name in METHODS
            if freezes and (label := f"ours-{name}-{FREEZE_EPOCHS}-epochs")
        ]
        bars |= _bars(texts, rounds, freezes, memory)
    return Summary(rows, bars, _notes(results))


def _gemm_peak(results: Mapping[str, Result], texts: str) -> float | None:
    """GFLOP/s of the machine on which these texts were measured."""
    found = results.get(f"{texts}-peak")
    return None if found is None else float(found.measured["gflops"])


def _measured(results: Mapping[str, Result], prefix: str, key: str) -> list[Mapping[str, Any]]:
    """Rounds that nobody disturbed, or all of them where no round went by undisturbed."""
    found = [each for name, each in results.items() if name.startswith(prefix)]
    clean = [each for each in found if not each.measured["disturbed"]]
    return [each.measured[key] for each in clean or found]


def _row(
    texts: str, name: str, rounds: Sequence[Mapping[str, Any]], memory: Mapping[str, Any] | None, peak: float | None
) -> Row:
    middle, ends = spread.median_and_range([each["tokens_per_second"] for each in rounds])
    return {
        "texts": texts,
        "variant": name,
        "rounds": len(rounds),
        "steps": rounds[0]["steps"],
        "tokens_per_second": middle,
        "range": ends,
        "gemm_share": round(middle * rounds[0]["flops_a_token"] / (peak * 1e9), 3) if peak else None,
        "padded_per_real": statistics.median(each["padded"] for each in rounds),
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
        share = round(memory[ours]["peak_mb"] / memory[theirs]["peak_mb"], 3) if both else None
        bars[f"{texts}_peak_memory_{ours}_of_{theirs}"] = Bar(share, 1.0, at_least=False)
    return bars


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


def _notes(results: Mapping[str, Result]) -> list[str]:
    means = {
        texts: rounds[0]["ours-grouped"]["mean_tokens"]
        for texts in TEXTS
        if (rounds := _measured(results, f"{texts}-round-", "variants"))
    }
    peaks = ", ".join(
        f"{name} texts {_gemm_peak(results, name)} ({found.machine['cpu']})"
        for name in TEXTS
        if (found := results.get(f"{name}-peak")) is not None
    )
    described = "; ".join(
        f"{name}: {TEXTS[name].corpus}, {mean} tokens a text, batch {TEXTS[name].batch_size}"
        for name, mean in means.items()
    )
    return [
        f"Texts: {described}. Model: starter:en, dropout 0.1, AdamW, linear schedule, learning rate {RATE}; the same "
        "for every variant.",
        "tokens_per_second: real tokens, padding not counted; median of the rounds, range beside it. Ratios are taken "
        "within a round, the bars are their medians.",
        "steps: grouped variants train a whole sorted pool, since it begins with its longest rows; random order needs "
        "half as many, padding to the longest of the set fewer still, as any step is like any other. Speeds a token "
        "are compared, so that the number of steps does not enter; the accuracy of fewer steps is lower.",
        f"GEMM peak of the machine (fp32), in GFLOP/s: {peaks}. gemm_share: useful operations by time and peak: "
        "forward and backward of every layer (2 (4 H^2 + 2 H F) a token, 4 L H in attention, times three; padding not "
        "counted). freeze: forward of the frozen layers once, forward and backward of the others each epoch.",
        f"freeze trains fewer parameters: embeddings and the lower {FROZEN_LAYERS} of 6 layers stand still; its time "
        "includes filling the cache. freeze_over_full: seconds of full by seconds of freeze, "
        f"{FREEZE_EPOCHS} epochs of the same rows.",
        "peak_mb: largest resident memory of a process that trains this variant alone, a batch of the longest rows "
        "included, which the bars compare; added_mb: what training added to it.",
    ]


if __name__ == "__main__":
    about = "Training speed in real tokens per second, beside transformers.Trainer at the same recipe."
    run(Benchmark("training_speed", about, cells, measure, summarise, prepare))
