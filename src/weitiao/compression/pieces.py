"""A tokenizer with fewer pieces, made by editing its tokenizer.json: what it must keep, and what it then looks like.

A text whose pieces are all kept is cut into the same pieces as before, whatever the kind of tokenizer:

- WordPiece takes the longest piece that fits, and the longest one is still there;
- Unigram takes the likeliest path, which is still there, and no path is new; the least likely piece stays, since the
  price of an unknown character is counted from it;
- BPE merges the pair of the lowest rank first. What merges inside a piece does not depend on what stands around it, so
  the merges that lead to the kept pieces, and the pieces on the way, are all that is needed.

Of words that are unknown as a whole, every part that is a piece stays, so that they stay unknown. Torch-free.
"""

from __future__ import annotations

import copy
import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from tokenizers import Tokenizer as Backend
from tokenizers import pre_tokenizers

from weitiao.errors import Refused
from weitiao.messages import _

KINDS = ("WordPiece", "WordLevel", "Unigram", "BPE")


@dataclass(frozen=True)
class Pieces:
    """The pieces of a tokenizer, as its tokenizer.json has them.

    Args:
        tree: what stands in that file.
    """

    tree: Mapping[str, Any]

    @classmethod
    def of(cls, backend: Backend) -> Pieces:
        """Those of a tokenizer.

        Raises:
            Refused: its pieces are of a kind that is not known here.
        """
        tree = json.loads(backend.to_str())
        kind = tree["model"].get("type")
        if kind not in KINDS:
            message = _("pieces of the kind {kind} cannot be trimmed; expected one of: {kinds}")
            raise Refused(message.format(kind=kind, kinds=", ".join(KINDS)))
        return cls(tree)

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return str(self.tree["model"]["type"])

    @cached_property
    def ids(self) -> dict[str, int]:
        """Piece -> id, of the model and of those that were added to it."""
        vocabulary = self.tree["model"]["vocab"]
        known = (
            {piece: index for index, (piece, _score) in enumerate(vocabulary)}
            if self.kind == "Unigram"
            else dict(vocabulary)
        )
        return {**known, **{token["content"]: token["id"] for token in self.tree["added_tokens"]}}

    @cached_property
    def special(self) -> set[int]:
        """Ids that no text decides about: added tokens, the unknown one, those put around a text, and single bytes."""
        model = self.tree["model"]
        found = {token["id"] for token in self.tree["added_tokens"]} | set(_wrapped(self.tree.get("post_processor")))
        unknown = model.get("unk_id") if self.kind == "Unigram" else self.ids.get(model.get("unk_token") or "")
        found |= set() if unknown is None else {unknown}
        found |= {index for piece, index in self.ids.items() if _is_byte(piece)}
        if self.kind == "Unigram":
            scores = [score for _piece, score in model["vocab"]]
            found.add(scores.index(min(scores)))
        return found

    def bare(self, piece: str) -> str:
        """A piece without the mark of its place in a word."""
        model = self.tree["model"]
        prefix, suffix = model.get("continuing_subword_prefix") or "", model.get("end_of_word_suffix") or ""
        piece = piece.removeprefix(prefix) if prefix else piece
        return piece.removesuffix(suffix) if suffix and piece != suffix else piece

    def characters(self) -> set[int]:
        """Ids of the pieces of one character (of byte-level tokenizers: one byte)."""
        return {index for piece, index in self.ids.items() if len(self.bare(piece)) == 1}

    def inside(self, words: Iterable[str]) -> set[int]:
        """Ids of the pieces that are a part of one of these words."""
        prefix = self.tree["model"].get("continuing_subword_prefix") or ""
        found = set()
        for word in words:
            for start in range(len(word)):
                for end in range(start + 1, len(word) + 1):
                    part = (prefix if start else "") + word[start:end]
                    if part in self.ids:
                        found.add(self.ids[part])
        return found

    def closed(self, kept: set[int]) -> set[int]:
        """`kept`, the special ones, and what the kept ones are merged from."""
        names = {index: piece for piece, index in self.ids.items()}
        pieces = {names[index] for index in (kept | self.special) if index in names}
        if self.kind == "BPE":
            merges, before = list(self._merges()), -1
            while len(pieces) != before:  # a piece is made of pieces that merge earlier: one round, as a rule
                before = len(pieces)
                for left, right, whole in reversed(merges):
                    if whole in pieces:
                        pieces |= {left, right}
        return {self.ids[piece] for piece in pieces} | kept

    def trimmed(self, new: Mapping[int, int]) -> dict[str, Any]:
        """The tree with the pieces of `new`, old id -> new id, alone; they must be closed."""
        tree = copy.deepcopy(dict(self.tree))
        model = tree["model"]
        if self.kind == "Unigram":
            model["vocab"] = [entry for index, entry in enumerate(model["vocab"]) if index in new]
            model["unk_id"] = None if model.get("unk_id") is None else new[model["unk_id"]]
        else:
            model["vocab"] = {piece: new[index] for piece, index in model["vocab"].items() if index in new}
        if self.kind == "BPE":
            held = model["vocab"]
            rows = zip(self.tree["model"]["merges"], self._merges(), strict=True)
            model["merges"] = [row for row, parts in rows if all(part in held for part in parts)]
        for token in tree["added_tokens"]:
            token["id"] = new[token["id"]]
        _rewrap(tree.get("post_processor"), new)
        if tree.get("padding"):
            tree["padding"]["pad_id"] = new.get(tree["padding"]["pad_id"], 0)
        return tree

    def _merges(self) -> Iterator[tuple[str, str, str]]:
        """(left, right, what they give) of each merge, the first first."""
        skipped = len(self.tree["model"].get("continuing_subword_prefix") or "")
        for row in self.tree["model"]["merges"]:
            left, right = row.split(" ") if isinstance(row, str) else row
            yield left, right, left + right[skipped:]

    @cached_property
    def text_of(self) -> Callable[[str], str | None]:
        """Piece -> what it is in a text; None where it is a part of a character."""
        if '"ByteLevel"' not in json.dumps([self.tree.get("pre_tokenizer"), self.tree.get("decoder")]):
            return self.bare
        table = _bytes_of_level()

        def decoded(piece: str) -> str | None:
            try:
                return bytes(table[character] for character in self.bare(piece)).decode("utf-8")
            except (KeyError, UnicodeDecodeError):
                return None

        return decoded


def scripts_of(text: str) -> set[str]:
    """Scripts of the letters of a text, as Unicode names them: LATIN, CJK, CYRILLIC."""
    return {_script(character) for character in set(text) if character.isalpha()}


@lru_cache(maxsize=1 << 16)
def _script(character: str) -> str:
    return unicodedata.name(character, "").split(" ")[0].split("-")[0]


def words_of(backend: Backend, texts: Iterable[str]) -> set[str]:
    """The words into which texts fall before they are cut into pieces."""
    found: set[str] = set()
    for text in texts:
        normal = backend.normalizer.normalize_str(text) if backend.normalizer else text
        found |= (
            {word for word, _span in backend.pre_tokenizer.pre_tokenize_str(normal)}
            if backend.pre_tokenizer
            else {normal}
        )
    return found


def built(tree: Mapping[str, Any]) -> Backend:
    """The tokenizer of a tree."""
    return Backend.from_str(json.dumps(tree, ensure_ascii=False))


def _is_byte(piece: str) -> bool:
    """Whether a piece stands for a byte that no other piece covers, such as <0x0A>."""
    return len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">")


@lru_cache(maxsize=1)
def _bytes_of_level() -> Mapping[str, int]:
    """Character -> the byte that it stands for in byte-level tokenizers (Radford et al. 2019, section 2.2)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    table = {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
    assert table.keys() == set(pre_tokenizers.ByteLevel.alphabet())
    return table


def _parts(processor: Mapping[str, Any] | None) -> Sequence[Any]:
    """A post-processor, or those that it is a sequence of."""
    if not processor:
        return ()
    return (
        [each for part in processor["processors"] for each in _parts(part)]
        if "processors" in processor
        else [processor]
    )


def _wrapped(processor: Mapping[str, Any] | None) -> Iterator[int]:
    """Ids that a post-processor puts around texts."""
    for part in _parts(processor):
        for token in (part.get("special_tokens") or {}).values():
            yield from token["ids"]
        yield from (part[name][1] for name in ("sep", "cls") if name in part)


def _rewrap(processor: Mapping[str, Any] | None, new: Mapping[int, int]) -> None:
    """The same ids by their new numbers, in place."""
    for part in _parts(processor):
        for token in (part.get("special_tokens") or {}).values():
            token["ids"] = [new[index] for index in token["ids"]]
        for name in ("sep", "cls"):
            if name in part:
                part[name] = [part[name][0], new[part[name][1]]]
