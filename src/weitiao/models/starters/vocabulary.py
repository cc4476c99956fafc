"""Which of multilingual-e5-small's 250,002 pieces the trimmed starter keeps.

Kept are: signs, digits and single letters of the scripts that Chinese and English text mixes in; every piece of Han
characters; the commonest pieces of ASCII letters; and those in `english.txt`, which lists words and word parts of
English (made by `benchmarks/starter_vocabulary.py --list`, see there). The choice depends on nothing else.

Measured against all 250,002 pieces (`benchmarks/starter_vocabulary.py`): 40,417 pieces, 37 M parameters instead of
117 M; 4.1 % more tokens on the English of sst2, 0.0 % on the Chinese of waimai_10k, 0.2 % on the starter corpus. As
many pieces chosen by score alone cost 18 % more tokens in English, since the score counts 100 languages.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

META = "\u2581"  # SentencePiece's mark of a word's start
COMMONEST = 4_000
RULE = f"zh-en, english.txt, {COMMONEST} commonest"
SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "HIRAGANA", "KATAKANA", "BOPOMOFO")  # whose single letters are kept


def keep(
    pieces: Sequence[str], scores: npt.NDArray[np.float32], *, commonest: int = COMMONEST, listed: bool = True
) -> set[int]:
    """Ids of the pieces to keep, special pieces apart.

    Args:
        pieces: all pieces, [V].
        scores: their log probabilities, [V].
        commonest: how many pieces of ASCII letters to keep for their score alone.
        listed: whether to keep those in `english.txt` too.
    """
    kept = {index for index, piece in enumerate(pieces) if is_neutral(piece)}
    letters = [index for index, piece in enumerate(pieces) if is_ascii_word(piece)]
    ranked = sorted(letters, key=lambda index: (-scores[index], index))
    words = {index for index in letters if pieces[index].lower() in english()} if listed else set()
    return kept | words | set(ranked[:commonest])


def is_neutral(piece: str) -> bool:
    """Whether a piece is of Han characters, digits and signs only, or a single letter of a script in `SCRIPTS`."""
    text = piece.replace(META, "")
    if len(text) == 1 and text.isalpha() and not is_han(text):
        return unicodedata.name(text, "").startswith(SCRIPTS)
    return all(is_han(each) or _is_sign(each) for each in text)


def is_ascii_word(piece: str) -> bool:
    """Whether a piece is ASCII with a letter in it."""
    text = piece.replace(META, "")
    return text.isascii() and any(each.isalpha() for each in text)


def is_han(character: str) -> bool:
    """Whether a character lies in the unified Han blocks, their extensions or compatibility forms."""
    return (
        "\u3400" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or "\U00020000" <= character <= "\U000323af"
        or character in "\u3005\u3007"
    )


@cache
def english() -> frozenset[str]:
    """The entries of `english.txt`: lower-case pieces, a word's start marked as SentencePiece does."""
    return frozenset(Path(__file__).with_name("english.txt").read_text("utf-8").split())


def _is_sign(character: str) -> bool:
    """ASCII but for letters, or a printable character that is no letter, mark or digit of another script."""
    if character.isascii():
        return not character.isalpha()
    return not character.isalnum() and character.isprintable()
