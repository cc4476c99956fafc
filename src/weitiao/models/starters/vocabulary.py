"""Which of multilingual-e5-small's 250,002 pieces a Chinese and English model keeps, told from the pieces alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ENGLISH_PIECES = 16_000
RULE = f"zh-en-{ENGLISH_PIECES}"
META = "\u2581"  # SentencePiece's mark of a word's start


def keep(pieces: Sequence[str], scores: npt.NDArray[np.float32], english: int = ENGLISH_PIECES) -> set[int]:
    """Ids of the pieces to keep."""
    kept = {index for index, piece in enumerate(pieces) if _chinese_or_neutral(piece.replace(META, ""))}
    letters = [index for index, piece in enumerate(pieces) if _ascii_letters(piece.replace(META, ""))]
    ranked = sorted(letters, key=lambda index: (-scores[index], index))
    single = {index for index in letters if len(pieces[index].replace(META, "")) == 1}
    return kept | single | set(ranked[:english])


def _chinese_or_neutral(text: str) -> bool:
    """Han characters, ASCII without letters, and signs; several of them may be joined in one piece."""
    return all(is_han(each) or _sign(each) for each in text)


def _sign(character: str) -> bool:
    """ASCII but for letters, or any punctuation or symbol that is no letter, mark or digit of another script."""
    if character.isascii():
        return not character.isalpha()
    return not character.isalnum() and character.isprintable()


def _ascii_letters(text: str) -> bool:
    return text.isascii() and any(each.isalpha() for each in text)


def is_han(character: str) -> bool:
    """Whether it lies in the unified Han blocks, their extensions or compatibility forms."""
    return (
        "\u3400" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or "\U00020000" <= character <= "\U000323af"
        or character in "\u3005\u3007"
    )
