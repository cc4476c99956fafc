"""Markdown of docs/results.md from results/*.json: every figure in the docs comes from here.

python benchmarks/tables.py > docs/results.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import RESULTS, measured_at, shown, state

INTRODUCTION = """\
# Measured results

Made by `python benchmarks/tables.py` from `benchmarks/results/`; do not edit. Each section names the command that
measures everything again, when, where and at which commit it was measured. Under each table stand the goals: a goal
that was missed stays here as missed, with its figure, and one that was not measured as not measured.
"""
COLUMNS: Mapping[str, str] = {
    "TF-IDF": "accuracy of logistic regression on TF-IDF features, trained on the same rows",
    "accuracy": "share of test rows answered rightly, on average over the rounds or seeds",
    "added_mb": "memory that training added to what the process held before, in MB",
    "bytes_a_token": "size of the cache on disk by the tokens in it",
    "cache_seconds": "time to fill the cache, part of the seconds",
    "command": "what was run: `weitiao --help`, or `weitiao check` on a file of that format",
    "cpu_seconds": "processor time of all threads, median",
    "difference": "accuracy less that of the reference that the notes name",
    "gemm_share": "useful operations a second by the machine's fastest matrix product",
    "in_write": "whether a kill struck while a checkpoint was being written",
    "killed_after_step": "steps done at each kill",
    "least": "quickest of the rounds, in seconds",
    "mean": "accuracy of the head with mean pooling",
    "median_seconds": "wall time of the whole process, median of the rounds",
    "memory_ratio": "planned memory by taken memory",
    "most": "slowest of the rounds, in seconds",
    "other_answers": "test rows answered otherwise than without a cache, all seeds together",
    "over_next": "accuracy less that of the next method below, paired by seed: mean and 95 % interval by Student's t",
    "over_rows": "95 % interval of the difference, test rows resampled",
    "over_seeds": "95 % interval of the mean difference over the seeds, by Student's t",
    "score_over_rows": "95 % interval of the score, test rows resampled",
    "score_over_seeds": "95 % interval of the mean score over the seeds, by Student's t",
    "padded_per_real": "tokens computed, padding included, by real tokens",
    "map_by_ours": "seconds of the tutorial's map by ours, median of the rounds",
    "map_seconds": "time of the tutorial's map for all questions, median",
    "map_windows": "windows that the map made",
    "order": "of our rows",
    "our_seconds": "time of our encoding for all questions, median",
    "our_windows": "windows that we made",
    "peak_mb": "largest resident memory of the process, in MB",
    "pieces": "entries of the vocabulary",
    "planned_mb": "peak memory that `weitiao check` foretold, in MB",
    "planned_seconds": "time that `weitiao check` foretold",
    "range": "smallest and largest of the rounds",
    "read as": "format and encoding as they were recognised",
    "rule": "which pieces are kept; the other columns are tokens by those of the whole vocabulary",
    "same_predictions": "whether the predictions file is that of the undisturbed run, byte for byte",
    "same_weights": "whether the weights are those of the undisturbed run, bit for bit",
    "seconds": "from the start of the fit to the end of its last step, median",
    "steps": "steps of a round",
    "stock": "accuracy of the family's own head",
    "time_ratio": "planned time by taken time, on a machine that never trained",
    "time_ratio_again": "the same, planned after one run",
    "tokens_per_second": "real tokens, median of the rounds",
    "took_mb": "peak memory of `weitiao train`, in MB",
    "took_seconds": "time of the whole `weitiao train`",
    "span_f1": "strict span F1, on average over the seeds",
    "trainer": "score of `transformers.Trainer` on the same seeds",
}


def markdown(results: Path = RESULTS) -> str:
    """The whole page."""
    return "\n".join(
        [INTRODUCTION, *(section(_summary(path), _plots(path)) for path in sorted(results.glob("*.json")))]
    )


def _summary(path: Path) -> dict[str, Any]:
    """A summary as harness.py writes it today; ends the program at an older one."""
    whole: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if "dates" not in whole:
        raise SystemExit(
            f"{path}: written by an older harness; run python benchmarks/{path.stem}.py, which keeps cells"
        )
    return whole


def _plots(path: Path) -> list[str]:
    """The pictures of a benchmark, as Markdown."""
    found = sorted(path.with_suffix("").glob("*.svg"))
    return [f"![{each.stem}](../benchmarks/results/{each.parent.name}/{each.name})" for each in found]


def section(whole: Mapping[str, Any], plots: Sequence[str] = ()) -> str:
    """One benchmark: sentence, origin, table, what its columns and notes say, plots, goals."""
    lines = [f"## {whole['benchmark']}", "", whole["about"], "", *_origin(whole), "", *table(whole["rows"])]
    if explained := _columns(whole["rows"]):
        lines += ["", f"Columns: {explained}."]
    for note in whole["notes"]:
        lines += ["", note]
    for plot in plots:
        lines += ["", plot]
    if whole["bars"]:
        lines += ["", *table([_goal(name, bar) for name, bar in whole["bars"].items()])]
    return "\n".join(lines) + "\n"


def _origin(whole: Mapping[str, Any]) -> Iterator[str]:
    """Command, date, commit, machine and versions, a line each."""
    machines = whole["machine"] if isinstance(whole["machine"], list) else [whole["machine"]]
    places = {f"{each['cpu']}, {each['cores']} cores, {each['memory_gb']} GB, {each['system']}" for each in machines}
    dates, commits = whole["dates"], ", ".join(whole["commits"])
    when = f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}, " if dates else ""
    yield f"- Command: `python benchmarks/{whole['benchmark']}.py`"
    yield f"- Measured: {when}commit {commits or '-'}, {whole['cells']} cells in {shown(whole['cell_seconds'])} s"
    yield f"- Machine: {'; '.join(sorted(places))}"
    yield f"- Versions: {', '.join(f'{name} {version}' for name, version in whole['versions'].items() if version)}"
    for sentence in measured_at(whole):
        yield f"- {sentence}"
    if whole["disturbed"]:
        yield f"- Disturbed by other processes: {', '.join(whole['disturbed'])}"


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A Markdown table; numbers to the right."""
    if not rows:
        return
    first = rows[0]
    yield "| " + " | ".join(_words(name) for name in first) + " |"
    yield "|" + "|".join("---:" if _is_number(value) else "---" for value in first.values()) + "|"
    for row in rows:
        yield "| " + " | ".join(shown(value).replace("|", "\\|") for value in row.values()) + " |"


def _columns(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the columns mean, where their names do not say it."""
    names = [name for name in (rows[0] if rows else ()) if name in COLUMNS]
    return "; ".join(f"*{_words(name)}*: {COLUMNS[name]}" for name in names)


def _goal(name: str, bar: Mapping[str, Any]) -> dict[str, Any]:
    verdicts = {"met": "met", "missed": f"**MISSED** with {shown(bar['value'])}", "not measured": "not measured"}
    sense = "at least" if bar["sense"] == ">=" else "at most"
    return {
        "goal": _words(name),
        "wanted": f"{sense} {shown(bar['goal'])}",
        "measured": bar["value"],
        "": verdicts[state(bar)],
    }


def _words(name: str) -> str:
    return name.replace("_", " ")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


if __name__ == "__main__":
    sys.stdout.write(markdown(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS))
