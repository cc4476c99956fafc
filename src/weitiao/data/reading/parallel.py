"""Parallel files: `seq.in` (words), `seq.out` (their tags) and `label` (the intent), a line each for a sentence.

A folder or zip holds them itself, or in a folder for each split (train, dev, test), which then is a column. ATIS and
SNIPS come so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from weitiao.data.reading.conll import of_characters
from weitiao.data.reading.source import (
    FileReading,
    Reading,
    ReadOptions,
    Source,
    joint_fingerprint,
    refusal,
    union_of_keys,
)
from weitiao.data.reading.splits import SPLIT, split_of
from weitiao.errors import Problem, ProblemsFound
from weitiao.messages import _, ngettext
from weitiao.records import Row
from weitiao.text import join_tokens

WORDS, TAGS, LABEL = "seq.in", "seq.out", "label"


class Parallel:
    """Folders of seq.in, seq.out and label, a line each for a sentence (ATIS, SNIPS)."""

    gathers: ClassVar[bool] = True

    def sniff(self, source: Source) -> float:
        return 0.95 if any(name.rpartition("/")[2] == WORDS for name in source.members) else 0.0

    def read(self, source: Source, _options: ReadOptions) -> Reading:
        folders = [name.removesuffix(WORDS) for name in source.members if name.rpartition("/")[2] == WORDS]
        if not folders:
            raise refusal("no-files", _("no file {name} in it").format(name=WORDS), source.name)
        several = len(folders) > 1 or folders[0] != ""
        own = {folder: _files(source, folder) for folder in folders}
        rows = [
            Row({**row.fields, SPLIT: split_of(folder)} if several else row.fields, row.file, row.line, row.problem)
            for folder, files in own.items()
            for row in _rows(files)
        ]
        read = {file.name: file for files in own.values() for file in files.values()}
        encoding = next(iter(read.values())).decoded.encoding
        how = ngettext("{count} folder", "{count} folders", len(folders)).format(count=len(folders))
        file = FileReading(source.name, joint_fingerprint(read), "parallel", len(rows), encoding, how, header=False)
        problems = [problem for each in read.values() for problem in each.text_problems()]
        return Reading(file, union_of_keys(rows), rows, problems, SPLIT if several else "")


def _files(source: Source, folder: str) -> dict[str, Source]:
    """The files of one folder by their own names.

    Raises:
        ProblemsFound: the tags are missing, or the files have not as many lines.
    """
    files = {name: source.members[folder + name] for name in (WORDS, TAGS, LABEL) if folder + name in source.members}
    if TAGS not in files:
        raise refusal("no-files", _("no file {name} beside it").format(name=TAGS), files[WORDS].name)
    lengths = {file.name: len(_lines(file)) for file in files.values()}
    if len(set(lengths.values())) > 1:
        message = _("has {count} lines, {other} has {expected}; each line must stand beside its sentence")
        first = files[WORDS].name
        raise ProblemsFound(
            Problem("uneven-files", message.format(count=count, other=first, expected=lengths[first]), file=name)
            for name, count in lengths.items()
            if count != lengths[first]
        )
    return files


def _lines(file: Source) -> list[str]:
    lines = file.decoded.text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if not lines[-1] else lines


def _rows(files: Mapping[str, Source]) -> list[Row]:
    sentences = [line.split() for line in _lines(files[WORDS])]
    labels: Sequence[str | None] = _lines(files[LABEL]) if LABEL in files else [None] * len(sentences)
    characters = of_characters([word for words in sentences for word in words])
    return [
        _row(files[WORDS].name, number, words, tags.split(), label, characters=characters)
        for number, (words, tags, label) in enumerate(zip(sentences, _lines(files[TAGS]), labels, strict=True), start=1)
    ]


def _row(
    file: str, line: int, words: Sequence[str], tags: Sequence[str], label: str | None, *, characters: bool
) -> Row:
    if not words:
        return Row({}, file, line, _("an empty line"))
    if len(words) != len(tags):
        message = _("tokens: {tokens}, tags: {tags}; expected a tag for each token")
        message = message.format(tags=len(tags), tokens=len(words))
        return Row({"text": " ".join(words)}, file, line, message)
    fields: dict[str, object] = {
        "text": join_tokens(words, characters=characters),
        "tokens": list(words),
        "tags": list(tags),
    }
    return Row(fields if label is None else {**fields, "label": label.strip()}, file, line)
