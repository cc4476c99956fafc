"""Rows that are a text or a pair of texts: read alike by every task that answers the whole of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.records import SECOND, IntArray, Record
from weitiao.text import Tokenizer, Tokens

PAIRS = (("text", "text_pair"), ("query", "text"))  # where records keep the two texts of a pair
CHUNK = 1024  # texts tokenised at a time: bounds the memory that the tokenizer's own objects take


class MaybePair(Protocol):
    """A record of a text, or of two."""

    @property
    def text(self) -> str: ...
    @property
    def text_pair(self) -> str | None: ...
    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...


def mixed_pairs(splits: Mapping[str, Sequence[MaybePair]]) -> list[Problem]:
    """An error where some rows are pairs and others single texts: one model reads one or the other."""
    kinds: dict[bool, list[MaybePair]] = {}
    for records in splits.values():
        for record in records:
            kinds.setdefault(record.text_pair is not None, []).append(record)
    if len(kinds) < 2:
        return []
    message = _(
        "{count} rows have no second text while the others have one; give all files the column, or leave it out of all"
    ).format(count=len(kinds[False]))
    return [Problem("mixed-pairs", message, file=kinds[False][0].file, line=kinds[False][0].line)]


def sides_of(record: Record) -> tuple[str, ...]:
    """The two texts of a pair; of a record that is none, nothing."""
    for names in PAIRS:
        texts = tuple(getattr(record, name, None) for name in names)
        if all(isinstance(text, str) for text in texts):
            return texts  # type: ignore[return-value]
    return ()


def places_of(tokens: Tokens) -> Mapping[str, IntArray]:
    """Where the second text of a pair stands, for the heads that read the two apart; nothing of a single text."""
    return {} if tokens.second is None else {SECOND: tokens.second}


def encoded(records: Sequence[MaybePair], tokenizer: Tokenizer, max_length: int) -> Iterator[Tokens]:
    """What the tokenizer makes of each record, in order."""
    for start in range(0, len(records), CHUNK):
        yield from _encoded(records[start : start + CHUNK], tokenizer, max_length)


def _encoded(records: Sequence[MaybePair], tokenizer: Tokenizer, max_length: int) -> list[Tokens]:
    """Texts and pairs go to the tokenizer apart."""
    found: dict[int, Tokens] = {}
    for paired in (False, True):
        chosen = [index for index, record in enumerate(records) if (record.text_pair is not None) is paired]
        if not chosen:
            continue
        texts = [records[index].text for index in chosen]
        pairs = [records[index].text_pair or "" for index in chosen] if paired else None
        found.update(zip(chosen, tokenizer.encode(texts, pairs, max_length=max_length), strict=True))
    return [found[index] for index in range(len(records))]
