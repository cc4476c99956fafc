"""Text without torch: a model folder's tokenizer, and small facts about strings.

The tokenizer is read straight from `tokenizer.json`, which costs a tenth of a second where the transformers classes
cost several; only folders without that file fall back to transformers.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Encoding, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.records import IntArray

CHINESE = 0.2  # share of Chinese letters from which a text counts as Chinese, and words cannot be told by spaces
WIDEST = 512  # tokens a text by default, where the model allows more


class Tokens(NamedTuple):
    """What a text, or a pair, is to a model.

    Args:
        ids: input_ids, [T], special tokens included.
        types: token_type_ids, [T], for families that take them.
        cut: tokens cut off.
        second: where the second text begins and ends among them, [2]; None of a single text, and where only lengths are
            wanted.
    """

    ids: IntArray
    types: IntArray | None
    cut: int
    second: IntArray | None = None


@dataclass(frozen=True, slots=True)
class Wrapping:
    """The special tokens around a text, or around the two texts of a pair.

    Args:
        before, between, after: their ids, in the order of the texts; `between` is empty for a single text.
        types: token_type_ids of those before, of the first text, between, of the second text, and after.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[tuple[int, ...], int, tuple[int, ...], int, tuple[int, ...]]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.before) + len(self.between) + len(self.after)

    def second_at(self, first: int) -> int:
        """Where the second text's tokens begin, behind a first text of so many."""
        return len(self.before) + first + len(self.between)

    def wrap(self, first: Sequence[int], second: Sequence[int] = ()) -> tuple[IntArray, IntArray]:
        """(input_ids [T], token_type_ids [T]) of the texts' ids."""
        before, one, between, two, after = self.types
        ids = (*self.before, *first, *self.between, *second, *self.after)
        types = (*before, *(one,) * len(first), *between, *(two,) * len(second), *after)
        return np.array(ids, dtype=np.int32), np.array(types, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A fast tokenizer and the little that encoding needs to know of its model.

    Args:
        backend: the tokenizer; neither truncates nor pads.
        pad_id: id that fills a batch.
        segments: whether the model takes token_type_ids.
        max_length: longest input the model takes, in tokens; 0 where it knows no bound.
        mask_token: what stands for a hidden token in a text; empty where the model has nothing of the kind.
        memo: what tasks derive from the tokenizer and need again.
    """

    backend: Backend
    pad_id: int
    segments: bool
    max_length: int
    mask_token: str = field(default="", kw_only=True)
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False, kw_only=True)

    def wrapping(self, *, pair: bool = False) -> Wrapping:
        """The special tokens around a text or a pair."""
        whole = self.backend.encode("a", "a" if pair else None)  # post_process forgets whose the first tokens are
        owners, ids, types = whole.sequence_ids, whole.ids, whole.type_ids
        start, end = owners.index(0), len(owners) - owners[::-1].index(0)
        other = owners.index(1) if pair else end
        last = len(owners) - owners[::-1].index(1) if pair else end
        parts = (tuple(types[:start]), types[start], tuple(types[end:other]), types[other - (not pair)])
        return Wrapping(tuple(ids[:start]), tuple(ids[end:other]), tuple(ids[last:]), (*parts, tuple(types[last:])))

    def encode(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, max_length: int | None = None
    ) -> list[Tokens]:
        """The tokens of each text, special ones included.

        Of a pair the longer text is cut first, as transformers' `longest_first` does.
        """
        limit = max_length or self.max_length or WIDEST
        room = limit - self.backend.num_special_tokens_to_add(pairs is not None)
        firsts = self.backend.encode_batch_fast(list(texts), add_special_tokens=False)
        seconds = self.backend.encode_batch_fast(list(pairs), add_special_tokens=False) if pairs is not None else None
        wrapping = None if seconds is None else self.wrapping(pair=True)
        encoded: list[Tokens] = []
        for index, first in enumerate(firsts):
            second = seconds[index] if seconds else None
            cut = _cut(first, second, room)
            place = None
            if second is not None and wrapping is not None:
                begins = wrapping.second_at(len(first))
                place = np.array([begins, begins + len(second)], dtype=np.int32)
            whole = self.backend.post_process(first, second, add_special_tokens=True)
            types = np.asarray(whole.type_ids, dtype=np.int32) if self.segments else None
            encoded.append(Tokens(np.asarray(whole.ids, dtype=np.int32), types, cut, place))
        return encoded


@dataclass(frozen=True, slots=True)
class TokenCounter(Tokenizer):
    """Stands in for a tokenizer where only lengths are wanted: every id is `pad_id`, lengths and cuts are the same.

    Args:
        words: tokens of each word met so far; None where a text's tokens are not those of its words.
    """

    words: dict[str, int] | None = None

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> TokenCounter:
        """A counter for what `tokenizer` encodes."""
        words: dict[str, int] | None = {} if _parts_at_spaces(tokenizer.backend) else None
        return cls(
            tokenizer.backend, tokenizer.pad_id, tokenizer.segments, tokenizer.max_length, words,
            mask_token=tokenizer.mask_token,
        )  # fmt: skip

    def encode(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, max_length: int | None = None
    ) -> list[Tokens]:
        """As `Tokenizer.encode`."""
        limit = max_length or self.max_length or WIDEST
        special = self.backend.num_special_tokens_to_add(pairs is not None)
        room = max(limit - special, 0)
        blank = np.full(special + room, self.pad_id, dtype=np.int32)
        types = np.zeros(special + room, dtype=np.int32) if self.segments else None
        counts = self._counts(texts) if pairs is None else map(operator.add, self._counts(texts), self._counts(pairs))
        counted: list[Tokens] = []
        for count in counts:
            length = special + min(count, room)
            counted.append(Tokens(blank[:length], None if types is None else types[:length], special + count - length))
        return counted

    def _counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without special ones; each different word is tokenised once."""
        words = self.words
        if words is None:
            return [len(each) for each in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)]
        parted = [text.split(" ") for text in texts]
        new = list(set().union(*parted).difference(words))
        found = self.backend.encode_batch_fast(new, add_special_tokens=False)
        words.update(zip(new, map(len, found), strict=True))
        return [sum(map(words.__getitem__, parts)) for parts in parted]


def _parts_at_spaces(backend: Backend) -> bool:
    """Whether the tokens of a text are those of the parts between its spaces, as BERT's are.

    No added token may then hold a space or take one in.
    """
    return (
        isinstance(backend.normalizer, normalizers.BertNormalizer)
        and isinstance(backend.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        and not any(
            " " in token.content or token.lstrip or token.rstrip
            for token in backend.get_added_tokens_decoder().values()
        )
    )


def _cut(first: Encoding, second: Encoding | None, room: int) -> int:
    """Truncate in place to `room` tokens together; return how many were removed."""
    over = len(first) + (len(second) if second else 0) - room
    if over <= 0:
        return 0
    if second is None:
        first.truncate(room)
        return over
    shorter, longer = sorted((first, second), key=len)  # of equals the second counts as the longer, as in `tokenizers`
    keep = min(len(shorter), max(room, 0) // 2)
    shorter.truncate(keep)
    longer.truncate(max(room, 0) - keep)
    return over


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a transformers folder.

    Raises:
        Refused: the folder has no tokenizer that can be read.
    """
    config = _json(folder / "config.json")
    settings = _json(folder / "tokenizer_config.json")
    backend = _backend(folder)
    backend.no_truncation()
    backend.no_padding()
    names, types = settings.get("model_input_names"), config.get("type_vocab_size")
    segments = "token_type_ids" in names if isinstance(names, list) else isinstance(types, int) and types > 1
    limits = [
        int(value)
        for value in (settings.get("model_max_length"), _positions(config))
        if isinstance(value, int | float) and 0 < value < 10**9
    ]
    return Tokenizer(
        backend, _pad_id(config, settings, backend), segments, min(limits, default=0),
        mask_token=_mask_token(settings, backend),
    )  # fmt: skip


def _backend(folder: Path) -> Backend:
    path = folder / "tokenizer.json"
    if path.is_file():
        try:
            return Backend.from_file(str(path))
        except Exception as error:
            raise Refused(
                _("{path}: the tokenizer cannot be read ({reason})").format(path=path, reason=error)
            ) from error
    try:
        from transformers import AutoTokenizer

        # False, not its default: that asks on the terminal whether to run code that comes with the folder
        loaded = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        return loaded.backend_tokenizer
    except Exception as error:
        raise Refused(
            _("{path}: no tokenizer.json and no other tokenizer that can be read ({reason})").format(
                path=folder, reason=str(error).splitlines()[0]
            )
        ) from error


def _json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _positions(config: dict[str, object]) -> object:
    """Positions that the model has room for; RoBERTa's first real position is padding index + 1."""
    positions = config.get("max_position_embeddings") or config.get("n_positions")
    offset_families = {
        "roberta",
        "xlm-roberta",
        "camembert",
        "xlm-roberta-xl",
        "longformer",
        "mpnet",
        "xmod",
        "data2vec-text",
    }
    if isinstance(positions, int) and config.get("model_type") in offset_families:
        return positions - 2
    return positions


def _pad_id(config: dict[str, object], settings: dict[str, object], backend: Backend) -> int:
    token = settings.get("pad_token")
    name = token.get("content") if isinstance(token, dict) else token
    if isinstance(name, str) and (found := backend.token_to_id(name)) is not None:
        return found
    for key in ("pad_token_id", "eos_token_id"):
        value = config.get(key)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, int):
            return value
    return 0


def _mask_token(settings: dict[str, object], backend: Backend) -> str:
    """As the tokenizer's settings name it, or as families call it."""
    token = settings.get("mask_token")
    named = token.get("content") if isinstance(token, dict) else token
    names = (named, "[MASK]", "<mask>")
    return next((each for each in names if isinstance(each, str) and backend.token_to_id(each) is not None), "")


def is_wide(character: str) -> bool:
    """Whether the character stands alone, without spaces around it: Chinese, kana and their punctuation."""
    return (
        "\u2e80" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or "\uff00" <= character <= "\uffef"
        or ("\U00020000" <= character <= "\U0003ffff")
    )


def join_tokens(tokens: Sequence[str], *, characters: bool = False) -> str:
    """The text of a source's tokens: a space between two, but none beside wide characters.

    Args:
        tokens: none of them empty.
        characters: whether each token is one character of the text, so that nothing stands between.
    """
    parts: list[str] = []
    for token in tokens:
        spaced = parts and not characters and not is_wide(parts[-1][-1]) and not is_wide(token[0])
        parts += [" ", token] if spaced else [token]
    return "".join(parts)


def han_share(text: str) -> float:
    """Share of Chinese characters among the letters of `text`, 0 to 1."""
    letters = [character for character in text if character.isalpha()]
    return sum("㐀" <= character <= "鿿" for character in letters) / len(letters) if letters else 0.0
