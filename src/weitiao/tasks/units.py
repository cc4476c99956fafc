"""Units of a text (a Chinese character, a word or number, a sign), and their token ids.

Tags, words and answers begin and end at units. Each different unit is tokenised once and by itself, so that a piece of
the vocabulary never reaches over a border ('很好' is one piece of many vocabularies and two characters) and offsets
into the untouched text need no help from the tokenizer, whose normaliser may drop, fold or double characters.

Notation: U units, T tokens.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any

from tokenizers import Tokenizer as Backend

from weitiao.text import Tokenizer

WIDE = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
JOINER = "\u200d"
Bounds = tuple[int, int]
Encoded = Sequence[tuple[tuple[int, ...], int]]  # of each unit: its ids, place among them of the token that opens it


def units_of(text: str) -> list[Bounds]:
    """(start, end) of every unit of `text`, in order; white space is between them.

    A unit is a wide character, a run of letters, a run of digits or any other sign, each with the combining marks,
    variation selectors and joined emoji that follow it.
    """
    return [found.span() for found in _pattern().finditer(text)]


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    marks = f"[{_marks()}]"
    letter = rf"[^\W\d_{WIDE}]"
    sign = rf"\S{marks}*(?:{JOINER}\S{marks}*)*"
    return re.compile(rf"[{WIDE}]{marks}*|{letter}(?:{letter}|{marks})*|\d+{marks}*|{sign}")


@lru_cache(maxsize=1)
def _marks() -> str:
    """The characters that belong to the one before them, as ranges of a regular expression."""
    codes = [code for code in range(0x300, 0x1F400) if unicodedata.category(chr(code)) in ("Mn", "Mc", "Me")]
    codes += [*range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080), *range(0xE0100, 0xE01F0)]
    ranges = []
    for _key, group in groupby(enumerate(codes), lambda each: each[1] - each[0]):
        run = [code for _index, code in group]
        ranges.append(f"{chr(run[0])}-{chr(run[-1])}")
    return "".join(ranges)


@dataclass(frozen=True, slots=True)
class UnitTokenizer:
    """Token ids of units, as a model's tokenizer gives them inside running text.

    Args:
        backend: the tokenizer, changed so that it puts no space in front of a text.
        opens: whether the unchanged one does.
        unknown: id for a unit that the tokenizer reads as nothing, such as a zero-width space.
        known: (unit, whether a space precedes it) -> its ids, and which of them is the first behind that space.
    """

    backend: Backend
    opens: bool
    unknown: int
    known: dict[tuple[str, bool], tuple[tuple[int, ...], int]] = field(default_factory=dict)

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> UnitTokenizer:
        """The one of `tokenizer`, which keeps it."""
        found = tokenizer.memo.get("units")
        if not isinstance(found, UnitTokenizer):
            found = tokenizer.memo["units"] = cls._made(tokenizer)
        return found

    @classmethod
    def _made(cls, tokenizer: Tokenizer) -> UnitTokenizer:
        bare = _without_prefix(tokenizer.backend)
        own, plain, spaced = (
            backend.encode(text, add_special_tokens=False).ids
            for backend, text in ((tokenizer.backend, "a"), (bare, "a"), (bare, " a"))
        )
        return cls(bare, own == spaced != plain, _unknown(tokenizer))

    def encode(self, text: str, units: Sequence[Bounds]) -> list[tuple[tuple[int, ...], int]]:
        """(ids, place among them of the token that opens the unit) of each unit."""
        found = []
        for start, end in units:
            key = (text[start:end], text[start - 1].isspace() if start else self.opens)
            if key not in self.known:
                self.known[key] = self._tokens(*key)
            found.append(self.known[key])
        return found

    def encode_all(self, texts: Sequence[tuple[str, Sequence[Bounds]]]) -> list[Encoded]:
        """As `encode`, of many texts, whose units are tokenised together."""
        self.prepare(texts)
        return [self.encode(text, units) for text, units in texts]

    def prepare(self, texts: Iterable[tuple[str, Sequence[Bounds]]]) -> None:
        """Tokenise all units of many texts together, which is several times faster than one by one."""
        wanted = {
            (text[start:end], text[start - 1].isspace() if start else self.opens)
            for text, units in texts
            for start, end in units
        }
        keys = [key for key in wanted if key not in self.known]
        encodings = self.backend.encode_batch([_spaced(*key) for key in keys], add_special_tokens=False)
        self.known.update((key, self._read(key[1], each)) for key, each in zip(keys, encodings, strict=True))

    def _tokens(self, unit: str, spaced: bool) -> tuple[tuple[int, ...], int]:
        return self._read(spaced, self.backend.encode(_spaced(unit, spaced), add_special_tokens=False))

    def _read(self, spaced: bool, encoding: Any) -> tuple[tuple[int, ...], int]:
        ids = tuple(encoding.ids)
        if not ids:
            return (self.unknown,), 0
        first = next((place for place, (_start, end) in enumerate(encoding.offsets) if end > spaced), len(ids) - 1)
        return ids, first


def _spaced(unit: str, spaced: bool) -> str:
    return f" {unit}" if spaced else unit


def _without_prefix(backend: Backend) -> Backend:
    """A copy that does not put a space in front of a text."""
    spec = json.loads(backend.to_str())
    spec["normalizer"] = _unprefixed(spec.get("normalizer"))
    spec["pre_tokenizer"] = _unprefixed(spec.get("pre_tokenizer"))
    copy = Backend.from_str(json.dumps(spec))
    copy.no_truncation()
    copy.no_padding()
    return copy


def _unprefixed(part: Any) -> Any:
    """A normaliser or pre-tokenizer of a tokenizer.json without what it puts in front, or takes away there."""
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if kind == "Prepend":
        return None
    if kind == "Metaspace":
        return {**part, "prepend_scheme": "never"}
    if kind == "ByteLevel":
        return {**part, "add_prefix_space": False}
    if kind == "Strip":
        return {**part, "strip_left": False}
    for name in ("normalizers", "pretokenizers"):
        if name in part:
            spaces_are_signs = any(inner.get("type") == "Metaspace" for inner in part[name])
            inside = [
                inner for inner in part[name] if not (spaces_are_signs and inner.get("type") == "WhitespaceSplit")
            ]
            return {**part, name: [each for inner in inside if (each := _unprefixed(inner)) is not None]}
    return part


def _unknown(tokenizer: Tokenizer) -> int:
    """The unknown token's id, or the padding's where the vocabulary has none."""
    model = json.loads(tokenizer.backend.to_str()).get("model", {})
    if isinstance(model.get("unk_id"), int):
        return int(model["unk_id"])
    name = model.get("unk_token")
    found = tokenizer.backend.token_to_id(name) if isinstance(name, str) else None
    return tokenizer.pad_id if found is None else found
