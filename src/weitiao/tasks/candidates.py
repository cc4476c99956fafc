"""The pieces of a text that may answer a question, with their scores, from all windows that the text was read in.

A piece is so many units from its first; its score is the sum of the logits of its two ends, in the window that likes it
best. There being no answer scores as the first token does for both ends, in the window that likes that least (Devlin et
al. 2019, section 4.3, and its run_squad.py).

Notation: U units of the text, L units of the longest piece that is allowed, W units of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from weitiao.records import Feature, FloatArray, Outputs

WITHIN = 20  # pieces looked at for each that is asked for: neighbours often have the same words


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the model thinks of every allowed piece.

    Args:
        scores: of the piece of `column + 1` units that begins at unit `row`, [U, L]; -inf where none is allowed.
        null: score of there being no answer.
    """

    scores: FloatArray
    null: float

    @classmethod
    def of(cls, features: Sequence[Feature], outputs: Sequence[Outputs], longest: int) -> Candidates:
        """The candidates of one record.

        Args:
            features: its windows.
            outputs: what the head put out for each: {"start": [T], "end": [T]}.
            longest: L.
        """
        units = 1 + max(int(feature.places["units"][-1]) for feature in features)
        longest = min(longest, units)
        scores = np.full((units, longest), -np.inf)  # [U, L]
        null = np.inf
        for feature, output in zip(features, outputs, strict=True):
            places = feature.places
            start = np.asarray(output["start"], dtype=np.float64)  # [T]
            end = np.asarray(output["end"], dtype=np.float64)  # [T]
            behind = np.concatenate([end[places["ends"]], np.full(longest - 1, -np.inf)])  # [W + L - 1]
            ends = np.lib.stride_tricks.sliding_window_view(behind, longest)  # [W, L]
            own = scores[places["units"][0] : places["units"][-1] + 1]  # [W, L]
            np.maximum(own, start[places["starts"], None] + ends, out=own)
            null = min(null, float(start[0] + end[0]))
        return cls(scores, null)

    @property
    def best(self) -> float:
        """The score of the best piece."""
        return float(self.scores.max())

    def total(self, *, with_none: bool) -> float:
        """Log of the summed exponentials of all pieces, and of there being no answer where that is allowed."""
        highest = self.best
        pieces = highest + float(np.log(np.exp(self.scores - highest).sum()))
        return float(np.logaddexp(pieces, self.null)) if with_none else pieces

    def ranked(self, count: int) -> Iterator[tuple[int, int, float]]:
        """(first unit, unit behind the last, score) of the best pieces, best first: some for each of `count` texts."""
        flat = self.scores.ravel()
        some = min(WITHIN * count, flat.size)
        chosen = np.argpartition(-flat, some - 1)[:some]
        chosen = chosen[np.lexsort((chosen, -flat[chosen]))]
        for index in chosen.tolist():
            if flat[index] == -np.inf:
                return
            first, more = divmod(index, self.scores.shape[1])
            yield first, first + more + 1, float(flat[index])
