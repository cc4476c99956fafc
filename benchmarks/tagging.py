"""Does our loop train the same tagger as `transformers.Trainer`, and how fast? Stock token classification heads.

Without dropout, on the same rows in the same order, step by step by the loss; with dropout, by strict span F1 over
several seeds; and interleaved in one process, both sides grouping by length, by real tokens a second.

    python benchmarks/tagging.py --quick --json
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import corpora
import spread
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run

LOSS_GOAL = 1e-4
STEPS, SEEDS, ROWS, TEST_ROWS, EPOCHS, RATE = 50, 3, 1000, 800, 2, 2e-4
ROUNDS, TIMED_STEPS, BATCH = 3, 50, 32
EXACT = {"precision": "float64"}
RANDOM = {"order": "random", "epochs": 4}  # beside rows grouped by length, where two epochs leave both far from learnt


@dataclass(frozen=True, slots=True)
class Tagged:
    """A corpus of spans: its starter, and the files of its training and test rows in the folder of the data sets."""

    starter: str
    train: str
    test: str


CORPORA = {
    "conll2003": Tagged("en", "conll2003/eng.train", "conll2003/eng.testb"),
    "resume_ner": Tagged("zh-en", "resume_ner/train.char.bmes", "resume_ner/test.char.bmes"),
    "atis": Tagged("en", "atis/train", "atis/test"),
}


def cells(quick: bool) -> list[Cell]:
    """Losses a corpus; scores a corpus, seed and system; rounds of speed and memory on the first."""
    steps, seeds, rows = (8, 1, 192) if quick else (STEPS, SEEDS, ROWS)
    made = [Cell(f"losses-{name}", {"kind": "losses", "corpus": name, "steps": steps}) for name in CORPORA]
    made += [Cell(f"losses-{name}-float64", {**made[0].settings, "corpus": name, **EXACT}) for name in ("resume_ner",)]
    made += [
        Cell(
            f"score-{name}-{seed}-{system}",
            {
                "kind": "score", "corpus": name, "system": system, "seed": seed, "rows": rows, "epochs": EPOCHS,
                "test_rows": 100 if quick else TEST_ROWS, "learning_rate": RATE,
            },
        )
        for name in CORPORA
        for seed in range(seeds)
        for system in spread.SIDES
    ]  # fmt: skip
    made += [
        Cell(f"{cell.name}-random", {**cell.settings, **RANDOM})
        for cell in made
        if cell.name.startswith("score-atis-") and not quick
    ]
    timed = {"corpus": "conll2003", "steps": 4 if quick else TIMED_STEPS}
    made += [
        Cell(f"speed-{index}", {**timed, "kind": "speed", "index": index}) for index in range(1 if quick else ROUNDS)
    ]
    made += [Cell(f"memory-{system}", {**timed, "kind": "memory", "system": system}) for system in spread.SIDES]
    return made


def prepare(workspace: Path, quick: bool) -> None:  # noqa: ARG001
    """Save the folders that every cell starts from."""
    import fitting

    for name, corpus in CORPORA.items():
        labels, _train, _test = records_of(name)
        fitting.save_folder(corpus.starter, len(task().classes(labels)), fitting.start_of(name, workspace), "tag")


def task() -> Any:
    """The task, with its defaults."""
    from weitiao.tasks.tag import Tag

    return Tag()


def records_of(name: str) -> tuple[Sequence[str], list[Any], list[Any]]:
    """(labels, training records, test records); test rows whose text was trained on are left out."""
    corpus, folder = CORPORA[name], corpora.shared_folder()
    train = _read(folder / corpus.train)
    seen = {record.text for record in train}
    test = [record for record in _read(folder / corpus.test) if record.text not in seen]
    return task().label_space(train), train, test


def _read(path: Path) -> list[Any]:
    from weitiao.data.reading import read_rows

    if path.is_dir():  # parallel files: words, tags
        lines = [(path / name).read_text("utf-8").splitlines() for name in ("seq.in", "seq.out")]
        rows = [{"tokens": words.split(), "tags": tags.split()} for words, tags in zip(*lines, strict=True)]
    else:
        rows = [dict(row.fields) for row in read_rows(str(path), format="conll").rows if not row.problem]
    return [task().read(row, file=path.name, line=line) for line, row in enumerate(rows, 1)]


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One cell."""
    return {"losses": _losses, "score": _score, "speed": _speed, "memory": _memory}[settings["kind"]](
        settings, workspace
    )


def _texts(settings: Settings, workspace: Path, rows: int | None, seed: int = 0) -> tuple[Path, Any, list[Any]]:
    """(folder to start from, encoded rows, test records)."""
    import random

    import fitting
    from weitiao.text import load_tokenizer

    name = settings["corpus"]
    labels, train, test = records_of(name)
    start = fitting.start_of(name, workspace)
    tokenizer = load_tokenizer(start)
    chosen = train if rows is None else random.Random(seed).sample(train, min(rows, len(train)))
    test = test[: settings.get("test_rows", 1)]
    encoded = [task().encode(part, tokenizer, labels, 256) for part in (chosen, test)]
    return start, fitting.Texts(*encoded, task().classes(labels)), test


def _losses(settings: Settings, workspace: Path) -> dict[str, Any]:
    import fitting

    start, texts, _test = _texts(settings, workspace, BATCH * settings["steps"])
    spec = fitting.FitSpec(
        steps=settings["steps"], order="given", dropout=0.0, learning_rate=5e-5, task="tag",
        precision=settings.get("precision", "float32"),
    )  # fmt: skip
    return {side: fitting.fit_side(side, start, texts, spec, workspace).losses for side in spread.SIDES}


def _score(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Hits, answers and gold spans of each test row."""
    import fitting
    from weitiao.metrics.spans import span_counts

    start, texts, test = _texts(settings, workspace, settings["rows"], settings["seed"])
    spec = fitting.FitSpec(
        epochs=settings["epochs"], learning_rate=settings["learning_rate"], seed=settings["seed"], task="tag",
        order=settings.get("order", "grouped"),
    )  # fmt: skip
    fitted = fitting.fit_side(settings["system"], start, texts, spec, workspace)
    answers = _answers(fitted.model, texts, test, records_of(settings["corpus"])[0])
    counts = [span_counts(each.spans, record.spans, {}) for each, record in zip(answers, test, strict=True)]
    return {"counts": [[int(value) for value in row] for row in counts], "seconds": fitted.seconds}


def _answers(model: Any, texts: Any, test: Sequence[Any], labels: Sequence[str]) -> list[Any]:
    """Both sides' logits are read by the same decoder."""
    import fitting
    from weitiao.models.inference import infer
    from weitiao.models.network import Network
    from weitiao.tasks import decode_all

    if isinstance(model, Network):
        outputs = infer(model, texts.test)
    else:
        outputs = [{"logits": row} for row in fitting.plain_logits(model, texts.test)]
    return decode_all(task(), test, texts.test, outputs, labels, {})


def _speed(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Both sides once, in rotated order."""
    import fitting

    start, texts, _test = _texts(settings, workspace, None)
    spec = fitting.FitSpec(
        steps=settings["steps"], order="grouped", task="tag", batch_size=BATCH, learning_rate=RATE,
        seed=settings["index"],
    )  # fmt: skip
    return fitting.time_sides(start, texts, spec, workspace, first=spread.SIDES[settings["index"] % 2])


def _memory(settings: Settings, workspace: Path) -> dict[str, Any]:
    import fitting

    start, texts, _test = _texts(settings, workspace, None)
    spec = fitting.FitSpec(order="grouped", task="tag", batch_size=BATCH, learning_rate=RATE)
    return fitting.peak_of_side(settings["system"], start, texts, spec, workspace)


def summarise(results: Mapping[str, Result]) -> Summary:
    """Loss differences, score differences with their intervals, speed and memory ratios."""
    rows: list[Row] = []
    bars: dict[str, Bar] = {}
    for name in CORPORA:
        bars[f"loss_difference_{name}"] = _loss_bar(results.get(f"losses-{name}"))
        if f"losses-{name}-float64" in results:
            bars[f"loss_difference_{name}_float64"] = _loss_bar(results[f"losses-{name}-float64"])
        rows.append(_compared(results, name, "grouped", ""))
        bars[f"score_{name}"] = _score_bar(rows[-1])
    rows.append(_compared(results, "atis", "random", "-random"))
    bars["score_atis_random"] = _score_bar(rows[-1])
    bars |= spread.side_bars(results)
    return Summary(rows, bars, NOTES)


NOTES = (
    f"Loss bars: largest difference of a step's loss over {STEPS} steps, batches of 32 rows, dropout 0, float32, same "
    "rows and order, learning rate 5e-5. Features are the same on both sides, and so is what reads spans from logits.",
    f"Scores: strict span F1 after {EPOCHS} epochs on {ROWS} other rows each seed, dropout 0.1, batch 32, learning "
    f"rate {RATE}, both grouped by length, and for atis both in random order with {RANDOM['epochs']} epochs too; bars: "
    "the smaller upper end of the two intervals of (ours - Trainer) is at least 0.",
    f"Speed: conll2003, {TIMED_STEPS} steps of 32 rows, both grouped by length, real tokens a second, ratio within a "
    "round, median of the rounds. Memory: largest resident memory of a process that trains one side alone.",
)


def _loss_bar(losses: Result | None) -> Bar:
    pairs = zip(losses.measured["ours"], losses.measured["trainer"], strict=True) if losses else ()
    return Bar(max((abs(a - b) for a, b in pairs), default=None), LOSS_GOAL, at_least=False)


def _score_bar(row: Row) -> Bar:
    upper = [row[key][1] for key in ("over_seeds", "over_rows") if row[key]]
    return Bar(min(upper, default=None), 0.0)


def _compared(results: Mapping[str, Result], name: str, order: str, ending: str) -> Row:
    pairs = [
        (ours.measured["counts"], theirs.measured["counts"])
        for seed in range(SEEDS)
        if (ours := results.get(f"score-{name}-{seed}-ours{ending}"))
        and (theirs := results.get(f"score-{name}-{seed}-trainer{ending}"))
    ]
    scores = [(_f1(ours), _f1(theirs)) for ours, theirs in pairs]
    gaps = [ours - theirs for ours, theirs in scores]
    return {
        "corpus": name,
        "order": order,
        "seeds": len(pairs),
        "test_rows": len(pairs[0][0]) if pairs else 0,
        "span_f1": statistics.fmean(ours for ours, _theirs in scores) if scores else None,
        "trainer": statistics.fmean(theirs for _ours, theirs in scores) if scores else None,
        "difference": statistics.fmean(gaps) if gaps else None,
        "over_seeds": spread.over_seeds(gaps) if len(gaps) > 1 else None,
        "over_rows": _over_rows(pairs) if pairs else None,
    }


def _f1(counts: Sequence[Sequence[int]]) -> float:
    hits, answers, gold = map(sum, zip(*counts, strict=True))
    return 2 * hits / max(answers + gold, 1)


def _over_rows(pairs: Sequence[tuple[Any, Any]]) -> tuple[float, float]:
    """Bootstrap interval of the difference in F1, test rows resampled, seeds pooled."""
    import numpy as np

    from weitiao.evaluation.intervals import Resampling, bootstrap, collect

    both = np.sum([np.concatenate(pair, axis=1) for pair in pairs], axis=0)  # [rows, 6]

    def gap(total: Any) -> Any:
        ours, theirs = (2 * total[..., k] / np.maximum(total[..., k + 1] + total[..., k + 2], 1) for k in (0, 3))
        return ours - theirs

    score = bootstrap(gap, collect(both), Resampling(resamples=spread.RESAMPLES))
    return (round(score.low, 5), round(score.high, 5))


if __name__ == "__main__":
    about = "Tagging beside transformers.Trainer: losses, strict span F1, speed and memory."
    run(Benchmark("tagging", about, cells, measure, summarise, prepare))
