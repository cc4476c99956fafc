"""A text inside a sentence with a gap: the pattern of a cloze, and the tokens that it and the answer's words become.

The pattern is tokenised whole, so that words meet as they do in running text; where it is too long, only tokens of the
texts go, never those of the pattern. Notation: T tokens, C classes, W words of a class, P pieces of a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Encoding

from weitiao.messages import _
from weitiao.records import IntArray
from weitiao.text import Tokenizer, Tokens

TEXT, TEXT_PAIR, MASK = "text", "text_pair", "mask"
SLOTS = (TEXT, TEXT_PAIR, MASK)
SLOT = re.compile(r"\{(text|text_pair|mask)\}")
BRACES = re.compile(r"\{([^{}]*)\}")
ANY_LETTER = "a"  # stands for the text that precedes the gap, so that a word is tokenised as one that follows


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern in its parts.

    Args:
        parts: words of the pattern and names of slots, by turns; words stand first and last, and may be empty.
    """

    parts: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Pattern:
        """The pattern that a recipe writes.

        Raises:
            ValueError: a slot is unknown, missing or repeated.
        """
        for name in BRACES.findall(text):
            if name not in SLOTS:
                message = _("unknown place {{{name}}}; expected {{text}}, {{text_pair}} or {{mask}}")
                raise ValueError(message.format(name=name))
        for name in SLOTS:
            times = text.count(f"{{{name}}}")
            if times > 1 or (times == 0 and name != TEXT_PAIR):
                message = _("a pattern has {{{name}}} once, and this one {times} times")
                raise ValueError(message.format(name=name, times=times))
        return cls(tuple(SLOT.split(text)))

    @property
    def paired(self) -> bool:
        """Whether it takes two texts."""
        return TEXT_PAIR in self.parts[1::2]

    @property
    def ends_with_gap(self) -> bool:
        """Whether nothing follows the gap."""
        return self.parts[-2] == MASK and not self.parts[-1].strip()

    @property
    def before_gap(self) -> str:
        """The pattern's words right before the gap."""
        return self.parts[self.parts.index(MASK, 1) - 1]

    def filled(self, values: Mapping[str, str]) -> tuple[str, dict[str, tuple[int, int]]]:
        """The sentence, and slot -> where in it its value stands."""
        sentence, places = "", {}
        for number, part in enumerate(self.parts):
            if number % 2:
                places[part] = (len(sentence), len(sentence) + len(values[part]))
                sentence += values[part]
            else:
                sentence += part
        return sentence, places


@dataclass(frozen=True, slots=True)
class Gap:
    """How a model is asked for the word in the gap.

    Args:
        pattern: around the gap.
        causal: the model says what follows the sentence, instead of what a mask stands for.
    """

    pattern: Pattern
    causal: bool

    def encode(
        self, rows: Sequence[Mapping[str, str]], tokenizer: Tokenizer, max_length: int
    ) -> Sequence[tuple[Tokens, int]]:
        """(tokens, place of the gap among them) of each row, a mapping slot -> text."""
        filled = [self._filled(row, tokenizer) for row in rows]
        encodings = tokenizer.backend.encode_batch([each for each, _places in filled], add_special_tokens=False)
        wrapping = tokenizer.wrapping()
        behind = () if self.causal else wrapping.after
        room = max_length - len(wrapping.before) - len(behind)
        found: list[tuple[Tokens, int]] = []
        for encoding, (_sentence, places) in zip(encodings, filled, strict=True):
            kept = _kept(encoding, places, room)
            ids = np.array([*wrapping.before, *(encoding.ids[index] for index in kept), *behind], dtype=np.int32)
            types = np.full(len(ids), wrapping.types[1], dtype=np.int32) if tokenizer.segments else None
            gap = len(kept) - 1 if self.causal else kept.index(_gap(encoding, places[MASK], tokenizer))
            found.append((Tokens(ids, types, len(encoding.ids) - len(kept)), len(wrapping.before) + gap))
        return found

    def _filled(self, row: Mapping[str, str], tokenizer: Tokenizer) -> tuple[str, dict[str, tuple[int, int]]]:
        sentence, places = self.pattern.filled({**row, MASK: "" if self.causal else tokenizer.mask_token})
        return (sentence.rstrip() if self.causal else sentence), places  # the word brings its own space

    def tokens(self, tokenizer: Tokenizer) -> int:
        """Tokens of the pattern itself, special ones included."""
        empty = dict.fromkeys((TEXT, TEXT_PAIR), "")
        (tokens, _place), *_rest = self.encode([empty], tokenizer, 10**6)
        return len(tokens.ids)

    def pieces(self, word: str, tokenizer: Tokenizer) -> tuple[int, ...]:
        """The pieces of a word in the gap."""
        before = self.pattern.before_gap
        opening = before if self.pattern.parts[1] == MASK or not before else ANY_LETTER + before
        encoding = tokenizer.backend.encode(opening + word, add_special_tokens=False)
        pieces = [
            (piece, start) for piece, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if end > len(opening)
        ]  # fmt: skip
        if pieces and opening[pieces[0][1] : len(opening)].strip():  # it melts together with the pattern's last word
            return tuple(tokenizer.backend.encode(word, add_special_tokens=False).ids)
        return tuple(piece for piece, _start in pieces)


def _kept(encoding: Encoding, places: Mapping[str, tuple[int, int]], room: int) -> list[int]:
    """Indices of the tokens that fit: of the texts the end is left out, of the longer one first."""
    texts = [_inside(encoding, places[name]) for name in (TEXT, TEXT_PAIR) if name in places]
    over = len(encoding.ids) - room
    if over <= 0:
        return list(range(len(encoding.ids)))
    left = max(sum(map(len, texts)) - over, 0)
    shorter, longer = min(map(len, texts)), max(map(len, texts))
    least = min(shorter, left // 2) if len(texts) == 2 else 0
    out: set[int] = set()
    for inside in texts:
        keep = left - least if len(inside) == longer else least
        longer = -1 if len(inside) == longer else longer  # of equals the first counts as the longer
        out.update(inside[keep:])
    return [index for index in range(len(encoding.ids)) if index not in out]


def _inside(encoding: Encoding, place: tuple[int, int]) -> list[int]:
    """Indices of the tokens that stand wholly in a part of the sentence."""
    return [
        index for index, (start, end) in enumerate(encoding.offsets)
        if place[0] <= start < end <= place[1]
    ]  # fmt: skip


def _gap(encoding: Encoding, place: tuple[int, int], tokenizer: Tokenizer) -> int:
    """Index of the mask token; a mask may take in the space before it."""
    mask = tokenizer.backend.token_to_id(tokenizer.mask_token)
    return next(
        index for index, (piece, (_start, end)) in enumerate(zip(encoding.ids, encoding.offsets, strict=True))
        if piece == mask and end == place[1]
    )  # fmt: skip


def padded(words: Sequence[Sequence[Sequence[int]]]) -> IntArray:
    """Pieces of the words of each class as one array, [C, W, P], filled with -1."""
    most = max(len(each) for each in words), max(len(pieces) for each in words for pieces in each)
    array = np.full((len(words), *most), -1, dtype=np.int64)
    for row, each in zip(array, words, strict=True):
        for place, pieces in zip(row, each, strict=False):
            place[: len(pieces)] = pieces
    return array
