"""A folder with a file a split: train, dev and test in any format that is read by itself (GLUE, CLUE and the like).

The rows get a `split` column. A test file that leaves out what the others answer is left out, and said so. Several
files of one split (MNLI's matched and mismatched) are not mixed: the first by name is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from weitiao.data.reading.source import (
    FileReading,
    Reading,
    ReadOptions,
    Source,
    joint_fingerprint,
    refusal,
    union_of_keys,
)
from weitiao.data.splitting import split_values
from weitiao.errors import Problem
from weitiao.messages import _, ngettext
from weitiao.records import Row

SPLIT = "split"
NOTES = (".md", ".html", ".pdf", ".py", ".yaml", ".yml", ".sh")
# fmt: off
ANSWERS = frozenset({
    "label", "labels", "label_desc", "gold_label", "class", "category", "intent", "target", "answer", "answers",
    "score", "similarity", "quality", "is_duplicate", "relation", "entities", "spans", "tags", "summary",
    "标签", "类别",
})  # columns that hold what is to be answered
# fmt: on
BLANK = (None, "", "-1", -1)  # what stands in the place of answers that are kept secret


class Splits:
    """A folder with a file a split: train, dev, test in any other format (GLUE, CLUE)."""

    gathers: ClassVar[bool] = True

    def sniff(self, source: Source) -> float:
        return 0.9 if "train" in _files(source)[0] and len(_files(source)[0]) > 1 else 0.0

    def read(self, source: Source, options: ReadOptions) -> Reading:
        from weitiao.data.reading import read_source  # at use: it asks every reader, this one too

        files, over = _files(source)
        if not files:
            message = _("no file is named after a split; expected train, dev or test, such as train.tsv")
            raise refusal("no-files", message, source.name)
        readings = {split: read_source(file, options) for split, file in files.items()}
        problems = [problem for reading in readings.values() for problem in reading.problems]
        if over:
            problems.append(_over(over, source.name))
        if (secret := _secret(readings)) is not None:
            problems.append(_left_out(readings.pop("test"), secret))
        rows = [
            Row({**row.fields, SPLIT: split}, row.file, row.line, row.problem)
            for split, reading in readings.items()
            for row in reading.rows
        ]
        first = next(iter(readings.values())).file
        sha256 = joint_fingerprint({split: files[split] for split in readings})
        how = _("; ").join(f"{split}: {reading.file.format}, {reading.file.how}" for split, reading in readings.items())
        file = FileReading(source.name, sha256, "splits", len(rows), first.encoding, how, first.delimiter, first.header)
        return Reading(file, union_of_keys(rows), rows, problems, SPLIT)


def split_of(name: str) -> str:
    """The split that a file or folder is named after, such as that of `test_public.json`; empty where it is none."""
    known = split_values({})
    word = name.rstrip("/").rpartition("/")[2]
    return next((known[each.casefold()] for each in re.split(r"[._-]", word)[:1] if each.casefold() in known), "")


def _files(source: Source) -> tuple[dict[str, Source], list[str]]:
    """(split -> its file, files that are over), in the order train, dev, test."""
    shown = [name for name in source.members if "/" not in name and not name.lower().endswith(NOTES)]
    named = {name: split for name in shown if (split := split_of(name))} or _by_last_word(shown)
    found: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    for name, split in named.items():
        found[split].append(name)
    chosen = {split: min(names, key=lambda name: (name.count("_"), name)) for split, names in found.items() if names}
    over = [name for names in found.values() for name in names if name not in chosen.values()]
    return {split: source.members[name] for split, name in chosen.items()}, over


def _by_last_word(names: Sequence[str]) -> dict[str, str]:
    """name -> split, of files that end with its name behind the same words, such as snli_1.0_train.jsonl; else none."""
    stems = {name: re.split(r"[._-](?=[^._-]*$)", name.rpartition(".")[0]) for name in names}
    named = {name: split for name, stem in stems.items() if len(stem) == 2 and (split := split_of(stem[1]))}
    return named if len({stems[name][0] for name in named}) == 1 else {}


def _secret(readings: Mapping[str, Reading]) -> list[str] | None:
    """The columns that the test rows leave out though all others fill them; None where they leave out none."""
    others = [reading for split, reading in readings.items() if split != "test"]
    if "test" not in readings or not others:
        return None
    test = readings["test"]
    filled = [column for column in others[0].columns if all(_fills(reading, column) for reading in others)]
    missing = [column for column in filled if not _fills(test, column)]
    answers = [column for column in missing if column.casefold() in ANSWERS]
    return missing if missing == filled else answers or None


def _fills(reading: Reading, column: str) -> bool:
    """Whether some row has something there."""
    return any(
        not isinstance(value := row.fields.get(column), str | int | None) or value not in BLANK for row in reading.rows
    )


def _left_out(test: Reading, secret: Sequence[str]) -> Problem:
    message = ngettext(
        "{count} row of test is left out, for it has no {columns}, which the other splits have",
        "{count} rows of test are left out, for they have no {columns}, which the other splits have",
        len(test.rows),
    ).format(count=len(test.rows), columns=", ".join(secret))
    return Problem("unlabelled-test", message, file=test.path, severity="note")


def _over(names: Sequence[str], file: str) -> Problem:
    message = _("not read, for another file stands for the same split: {names}").format(names=", ".join(names))
    return Problem("unused-files", message, file=file, severity="note")
