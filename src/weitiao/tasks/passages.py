"""A question and its passage as what the model reads: windows of units that overlap, with where each unit stands.

Passages that many questions share are cut into units and tokens once. A window that lacks the answer points at its
first token (Devlin et al. 2019, section 4.3); an answer that no window holds whole teaches nothing, and is counted.

Notation: U units of a passage, T tokens.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from weitiao.records import Feature, IntArray
from weitiao.tasks.units import Bounds, Pieces, UnitTokenizer, units_of
from weitiao.tasks.windows import Window, windows
from weitiao.text import Tokenizer, Wrapping

Targets = Mapping[str, npt.NDArray[np.generic]]
NOWHERE = (-1, -1)  # units of the answer to a question that has none in its passage


@dataclass(frozen=True, slots=True)
class Tokenized:
    """A text in tokens.

    Args:
        ids: of all its units, [T].
        sizes: tokens of each unit, U of them.
        bounds: where each unit begins among the tokens, and the end of the last, [U + 1].
        opening: the token that opens each unit, behind a space that goes with it, [U].
    """

    ids: Sequence[int]
    sizes: Sequence[int]
    bounds: IntArray
    opening: IntArray

    @classmethod
    def of(cls, units: Sequence[Pieces]) -> Tokenized:
        """The tokens of a text's units."""
        sizes = [len(ids) for ids, _first in units]
        bounds = np.concatenate([[0], np.cumsum(np.array(sizes, dtype=np.int64))])
        first = np.array([first for _ids, first in units], dtype=np.int64)
        return cls(list(chain.from_iterable(ids for ids, _first in units)), sizes, bounds, bounds[:-1] + first)


class Texts:
    """Texts in tokens, each different one made once."""

    def __init__(self, texts: Iterable[str], tokenizer: Tokenizer) -> None:
        self.units = {text: units_of(text) for text in dict.fromkeys(texts)}
        encoded = UnitTokenizer.of(tokenizer).encode_all(self.units.items())
        self.tokens = {text: Tokenized.of(units) for text, units in zip(self.units, encoded, strict=True)}


@dataclass(frozen=True, slots=True)
class Reading:
    """How much of question and passage the model reads at once.

    Args:
        wrapping: the special tokens around the two.
        segments: whether the model takes token_type_ids.
        max_length: tokens of a window, special ones included.
        max_question: tokens of the question at most, and of the room half at most.
        overlap: tokens that neighbouring windows share, of the room half at most.
    """

    wrapping: Wrapping
    segments: bool
    max_length: int
    max_question: int
    overlap: int

    def features(self, question: Tokenized, passage: Tokenized, answer: Bounds | None, group: int) -> Iterator[Feature]:
        """One Feature a window.

        Args:
            answer: its units, half-open; `NOWHERE` where there is none; None where nothing is to be learnt.
            group: index of the record.
        """
        free = self.max_length - len(self.wrapping)
        asked = question.ids[: min(self.max_question, free // 2)]
        room = free - len(asked)
        cut = windows(passage.sizes, room, min(self.overlap, room // 2))
        whole = [_holds(window, answer) for window in cut]
        learns = answer is not None and (answer == NOWHERE or any(whole))
        unread, lost = len(question.ids) - len(asked), int(answer is not None and not learns)
        for window, here in zip(cut, whole, strict=True):
            first = int(passage.bounds[window.start])
            last = int(min(passage.bounds[window.end], first + room))
            ids, types = self.wrapping.wrap(asked, passage.ids[first:last])
            shift = self.wrapping.second_at(len(asked)) - first
            places = {
                "starts": np.minimum(passage.opening[window.start : window.end], last - 1) + shift,  # [U]
                "ends": np.minimum(passage.bounds[window.start + 1 : window.end + 1], last) - 1 + shift,  # [U]
                "units": np.arange(window.start, window.end),  # [U]
            }
            unread += int(passage.bounds[window.end]) - last  # of a single unit that is longer than the room
            targets = _targets(places, window, answer if here else None) if learns else {}
            yield Feature(ids, types if self.segments else None, targets, group, unread, places, lost)
            unread = lost = 0


def _holds(window: Window, answer: Bounds | None) -> bool:
    return answer is not None and answer != NOWHERE and window.start <= answer[0] and answer[1] <= window.end


def _targets(places: Mapping[str, IntArray], window: Window, answer: Bounds | None) -> Targets:
    """{"start": [], "end": []}: the tokens of the answer's ends; the first token where the window lacks it."""
    start, end = 0, 0
    if answer is not None:
        start = int(places["starts"][answer[0] - window.start])
        end = int(places["ends"][answer[1] - 1 - window.start])
    return {"start": np.asarray(start, dtype=np.int64), "end": np.asarray(end, dtype=np.int64)}


def covering(units: Sequence[Bounds], start: int, end: int) -> Bounds | None:
    """The units that a piece of the text covers or touches, half-open; None where there are none."""
    first = bisect_right(units, start, key=lambda unit: unit[1])
    last = bisect_left(units, end, key=lambda unit: unit[0])
    return (first, last) if last > first else None
