"""Question answering beside `transformers.Trainer` and the tutorial's `map`: building features, speed and memory.

Features: our `encode` and the function of the tutorials, over the same questions, windows of one length and overlap,
in one process. Training: stock heads on the features that we built, both sides grouping by length, in real tokens a
second.

    python benchmarks/answering.py --quick --json
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import corpora
import machine
import spread
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run

FILES = {"en": "xquad/xquad.en.json", "zh-en": "xquad/xquad.zh.json"}  # by starter
MAX_LENGTH, OVERLAP, BATCH, RATE = 384, 128, 16, 3e-4  # the first two: run_squad.py (Devlin et al. 2019)
FEATURES_GOAL, FEATURE_ROUNDS, ROUNDS, STEPS, DISTURBED = 3.0, 5, 3, 40, 0.15


def cells(quick: bool) -> list[Cell]:
    """Rounds of building features for each starter; rounds of speed, and memory, on the English questions."""
    made = [
        Cell(f"features-{starter}", {"kind": "features", "starter": starter, "rounds": 1 if quick else FEATURE_ROUNDS})
        for starter in FILES
    ]
    timed = {"starter": "en", "steps": 4 if quick else STEPS}
    made += [
        Cell(f"speed-{index}", {**timed, "kind": "speed", "index": index}) for index in range(1 if quick else ROUNDS)
    ]
    return made + [Cell(f"memory-{side}", {**timed, "kind": "memory", "system": side}) for side in spread.SIDES]


def prepare(workspace: Path, quick: bool) -> None:  # noqa: ARG001
    """Save the folders that every cell starts from."""
    import fitting

    for starter in FILES:
        fitting.save_folder(starter, 2, fitting.start_of(starter, workspace), "answer")


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One cell."""
    return {"features": _features, "speed": _speed, "memory": _memory}[settings["kind"]](settings, workspace)


def _task() -> Any:
    from weitiao.tasks.answer import Answer, AnswerOptions

    return Answer(AnswerOptions(overlap=OVERLAP))


def _records(starter: str) -> list[Any]:
    from weitiao.data.fields import map_columns
    from weitiao.data.reading import read_rows

    path, task = corpora.shared_folder() / FILES[starter], _task()
    reading = read_rows(str(path))
    columns, _problems = map_columns(reading, {}, task.fields)
    rows = [row for row in reading.rows if not row.problem]
    return [task.read(columns.apply(row.fields), file=path.name, line=row.line) for row in rows]


def _encoded(settings: Settings, workspace: Path) -> tuple[Path, Any]:
    """(folder to start from, encoded rows)."""
    import fitting
    from weitiao.text import load_tokenizer

    start, records = fitting.start_of(settings["starter"], workspace), _records(settings["starter"])
    features = _task().encode(records, load_tokenizer(start), _task().label_space(records), MAX_LENGTH)
    return start, fitting.Texts(features, features[:1], ["start", "end"])


def _features(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Seconds of each round and side, from texts to features, and how many windows came out."""
    from transformers import AutoTokenizer

    import fitting
    from weitiao.text import load_tokenizer

    start, records = fitting.start_of(settings["starter"], workspace), _records(settings["starter"])
    task, labels = _task(), _task().label_space(records)
    columns = {
        "question": [record.question for record in records],
        "context": [record.text for record in records],
        "answers": [_as_squad(record) for record in records],
    }
    sides: Mapping[str, Callable[[], int]] = {
        "ours": lambda: len(task.encode(records, load_tokenizer(start), labels, MAX_LENGTH)),
        "map": lambda: _mapped(columns, AutoTokenizer.from_pretrained(start)),
    }
    counts = {name: side() for name, side in sides.items()}  # once, so that nothing is imported while it is timed
    rounds = [_round(sides, name_first) for name_first in list(sides) * settings["rounds"]]
    return {"rounds": rounds, "features": counts, "questions": len(records),
            "disturbed": any(each["disturbed"] for each in rounds)}  # fmt: skip


def _round(sides: Mapping[str, Callable[[], int]], first: str) -> dict[str, Any]:
    """Seconds of both sides, the named one first."""
    seconds = {}
    with machine.watch() as seen:
        for name in sorted(sides, key=lambda name: name != first):
            began = time.perf_counter()
            sides[name]()
            seconds[name] = time.perf_counter() - began
    return {**seconds, "disturbed": seen.disturbed(DISTURBED)}


def _as_squad(record: Any) -> dict[str, list[Any]]:
    """Answers as the data set of the tutorial holds them."""
    return {"text": [record.text[start:end] for start, end in record.placed], "answer_start": [
        start for start, _end in record.placed
    ]}  # fmt: skip


def _mapped(columns: Mapping[str, list[Any]], tokenizer: Any) -> int:
    """Features by `datasets.map` with windows padded to one length, as the question-answering tutorials make them."""
    from datasets import Dataset, disable_caching, disable_progress_bars

    disable_caching()
    disable_progress_bars()

    def windows(rows: Mapping[str, list[Any]]) -> dict[str, Any]:
        made = tokenizer(
            [question.lstrip() for question in rows["question"]], rows["context"], truncation="only_second",
            max_length=MAX_LENGTH, stride=OVERLAP, return_overflowing_tokens=True, return_offsets_mapping=True,
            padding="max_length",
        )  # fmt: skip
        whose, offsets = made.pop("overflow_to_sample_mapping"), made.pop("offset_mapping")
        places = [
            _place(rows["answers"][whose[index]], offsets[index], made.sequence_ids(index))
            for index in range(len(offsets))
        ]
        return {**made, "start_positions": [first for first, _last in places],
                "end_positions": [last for _first, last in places]}  # fmt: skip

    whole = Dataset.from_dict(dict(columns))
    return len(whole.map(windows, batched=True, remove_columns=whole.column_names))


def _place(
    answers: Mapping[str, list[Any]], offsets: Sequence[tuple[int, int]], parts: Sequence[Any]
) -> tuple[int, int]:
    """First and last token of the answer in a window; the first token for both where it is not inside."""
    if not answers["answer_start"]:
        return 0, 0
    begin = answers["answer_start"][0]
    end = begin + len(answers["text"][0])
    first, last = parts.index(1), len(parts) - 1 - parts[::-1].index(1)
    if offsets[first][0] > begin or offsets[last][1] < end:
        return 0, 0
    while first < len(offsets) and offsets[first][0] <= begin:
        first += 1
    while offsets[last][1] >= end:
        last -= 1
    return first - 1, last + 1


def _speed(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Both sides once, in rotated order."""
    import fitting

    spec = _spec(settings, steps=settings["steps"], seed=settings["index"])
    return fitting.time_sides(*_encoded(settings, workspace), spec, workspace, spread.SIDES[settings["index"] % 2])


def _memory(settings: Settings, workspace: Path) -> dict[str, Any]:
    import fitting

    return fitting.peak_of_side(settings["system"], *_encoded(settings, workspace), _spec(settings), workspace)


def _spec(settings: Settings, **more: Any) -> Any:  # noqa: ARG001
    import fitting

    return fitting.FitSpec(order="grouped", task="answer", batch_size=BATCH, learning_rate=RATE, **more)


def summarise(results: Mapping[str, Result]) -> Summary:
    """Medians of the rounds; ratios are taken within a round."""
    rows: list[Row] = []
    bars: dict[str, Bar] = {}
    for starter in FILES:
        found = results.get(f"features-{starter}")
        gains = [each["map"] / each["ours"] for each in found.measured["rounds"]] if found else []
        bars[f"features_over_map_{starter}"] = Bar(round(statistics.median(gains), 2) if gains else None, FEATURES_GOAL)
        if found:
            rows.append(_row(starter, found.measured, gains))
    return Summary(rows, bars | spread.side_bars(results), NOTES)


def _row(starter: str, measured: Mapping[str, Any], gains: Sequence[float]) -> Row:
    return {
        "starter": starter,
        "questions": measured["questions"],
        "our_windows": measured["features"]["ours"],
        "our_seconds": statistics.median(each["ours"] for each in measured["rounds"]),
        "map_windows": measured["features"]["map"],
        "map_seconds": statistics.median(each["map"] for each in measured["rounds"]),
        "map_by_ours": statistics.median(gains),
        "range": [min(gains), max(gains)],
    }


NOTES = (
    f"Features: all questions of xquad (en for the starter en, zh for zh-en), windows of {MAX_LENGTH} tokens that "
    f"share {OVERLAP}; texts to features, opening the tokenizer included. map: `datasets.map` with the "
    "function of the tutorials: fast tokenizer, overflowing windows, offsets, padding to one length; one process.",
    f"Speed: {STEPS} steps of {BATCH} windows of xquad en, both grouped by length, real tokens a second, ratio "
    "within a round, median of the rounds. Memory: largest resident memory of a process that trains one side alone.",
)


if __name__ == "__main__":
    about = "Question answering beside transformers.Trainer and the tutorial's map: features, speed and memory."
    run(Benchmark("answering", about, cells, measure, summarise, prepare))
