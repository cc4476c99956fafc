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
from tokenizers import normalizers, pre_tokenizers

from weitiao.text import Tokenizer

WIDE = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
JOINER = "\u200d"
NO_CHARACTER = "\U0010ffff"  # never one, so that no vocabulary has it
Bounds = tuple[int, int]
Key = tuple[str, bool]  # a unit, and whether a space precedes it
Pieces = tuple[tuple[int, ...], int]  # token ids, and which of them is the first behind that space: it opens the unit
Encoded = Sequence[Pieces]  # of each unit


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
    for _key, group in groupby(enumerate(sorted(set(codes))), lambda each: each[1] - each[0]):
        run = [code for _index, code in group]
        ranges.append(f"{chr(run[0])}-{chr(run[-1])}")
    return "".join(ranges)


@dataclass(frozen=True, slots=True)
class UnitTokenizer:
    """Token ids of units, as a model's tokenizer gives them inside running text.

    Args:
        tokenizer: the model's own.
        backend: the same, changed so that it neither puts a space in front of a text nor takes one away.
        opens: whether the unchanged one puts one there.
        known: what was tokenised so far.
    """

    tokenizer: Tokenizer
    backend: Backend
    opens: bool
    known: dict[Key, Pieces] = field(default_factory=dict)

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
        return cls(tokenizer, bare, own == spaced != plain)

    def encode(self, text: str, units: Sequence[Bounds]) -> Encoded:
        """The ids of each unit."""
        return self.encode_all([(text, units)])[0]

    def encode_all(self, texts: Iterable[tuple[str, Sequence[Bounds]]]) -> list[Encoded]:
        """As `encode`, of many texts: all new units are tokenised together, several times faster than one by one."""
        keys = [self._keys(text, units) for text, units in texts]
        self._learn(set[Key]().union(*keys))
        known = self.known
        return [[known[key] for key in own] for own in keys]

    @property
    def unknown(self) -> int:
        """The id of what the vocabulary does not know."""
        return _unknown(self.tokenizer)

    def _keys(self, text: str, units: Sequence[Bounds]) -> list[Key]:
        return [(text[start:end], text[start - 1].isspace() if start else self.opens) for start, end in units]

    def _learn(self, keys: Iterable[Key]) -> None:
        new = [key for key in keys if key not in self.known]
        encodings = self.backend.encode_batch([_spaced(*key) for key in new], add_special_tokens=False)
        self.known.update((key, self._read(key[1], each)) for key, each in zip(new, encodings, strict=True))

    def _read(self, spaced: bool, encoding: Any) -> Pieces:
        ids = tuple(encoding.ids)
        if not ids:
            return (self.unknown,), 0
        first = 0
        while spaced and first < len(ids) - 1 and (encoding.token_to_chars(first) or (0, 0))[1] <= 1:
            first += 1  # the space alone
        return ids, first


def _spaced(unit: str, spaced: bool) -> str:
    return f" {unit}" if spaced else unit


def _without_prefix(backend: Backend) -> Backend:
    """A tokenizer with the same vocabulary that neither puts a space in front of a text nor takes one away."""
    bare = Backend(backend.model)  # shares the vocabulary, which would take long to copy
    bare.normalizer = _changed(backend.normalizer, normalizers.Sequence([]))
    bare.pre_tokenizer = _changed(backend.pre_tokenizer, pre_tokenizers.Sequence([]))
    added = backend.get_added_tokens_decoder()
    whole = Backend(backend.model)
    whole.normalizer, whole.pre_tokenizer = bare.normalizer, bare.pre_tokenizer
    whole.add_tokens([added[index] for index in sorted(added)])
    return whole if whole.get_added_tokens_decoder().keys() == added.keys() else bare  # others would get wrong ids


def _changed(part: Any, blank: Any) -> Any:
    """A normaliser or pre-tokenizer without what it puts in front, or takes away there, made of a blank one."""
    if part is None:
        return None
    spec = _unprefixed(json.loads(part.__getstate__()))
    if spec is None:
        return None
    blank.__setstate__(json.dumps(spec).encode())
    return blank


def _unprefixed(part: Any) -> Any:
    """A normaliser or pre-tokenizer of a tokenizer.json without what it puts in front, or takes away there."""
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if kind == "Prepend":
        return None
    if kind == "Strip":
        return {**part, "strip_left": False}
    if kind == "Metaspace":
        return {**part, "prepend_scheme": "never"}
    if kind == "ByteLevel":
        return {**part, "add_prefix_space": False}
    for name in ("normalizers", "pretokenizers"):
        if name in part:
            inner = [each for each in part[name] if not _takes_spaces(each, part[name])]
            return {**part, name: [changed for each in inner if (changed := _unprefixed(each)) is not None]}
    return part


def _takes_spaces(part: Any, beside: Sequence[Any]) -> bool:
    """Whether a pre-tokenizer leaves nothing of the space that a Metaspace beside it would mark."""
    return part.get("type") == "WhitespaceSplit" and any(each.get("type") == "Metaspace" for each in beside)


def _unknown(tokenizer: Tokenizer) -> int:
    """Stands for a unit that is read as nothing, such as a zero-width space: the unknown token, or else padding."""
    name = getattr(tokenizer.backend.model, "unk_token", None)
    if isinstance(name, str):
        found = tokenizer.backend.token_to_id(name)
        return tokenizer.pad_id if found is None else found
    told = tokenizer.backend.model.tokenize(NO_CHARACTER)  # Unigram does not tell its name
    return int(told[0].id) if len(told) == 1 else tokenizer.pad_id
