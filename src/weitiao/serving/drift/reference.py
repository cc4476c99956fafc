"""drift.json of a run: what its texts and answers were like, which later requests are compared with.

`train` writes it beside the report: lengths of the training texts and the tokens in them, and of the rows that were
measured (test, or dev where there is none) the rest, for a model is surer on rows that it was trained on. It holds
counts and a list of tokens, no text. A run without it is served as well; its drift is not watched.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from weitiao.artifact import read_json, write_json
from weitiao.errors import Refused
from weitiao.records import Prediction, Record
from weitiao.serving.drift.reading import Look, look, token_ids, unknown_id
from weitiao.text import Tokenizer

FILE = "drift.json"
BINS = 10  # of numbers: tenths of the reference, as Siddiqi 2006 has them
SHARES = (0.0, 0.05, 0.2)  # bounds of the bins of a text's unknown and unseen tokens: none, few, some, many
MOST = 50_000  # training records that are looked at, evenly over all
NUMBERS = ("lengths", "unknown", "unseen", "confidence", "scores")


@dataclass(frozen=True, slots=True)
class Bins:
    """How numbers fall into bins.

    Args:
        edges: upper bounds of the bins, each belongs to its bin; above the last is one more.
        counts: of the reference.
        mean: of the reference.
    """

    edges: Sequence[float]
    counts: Sequence[int]
    mean: float

    @classmethod
    def of(cls, values: Sequence[float], edges: Sequence[float] | None = None) -> Bins:
        """Bins of some numbers; by tenths of them unless their edges are told."""
        edges = _tenths(values) if edges is None else edges
        return cls(list(edges), counted(values, edges), sum(values) / len(values))


@dataclass(frozen=True, slots=True)
class Reference:
    """What requests are compared with.

    Args:
        numbers: entries of `NUMBERS` -> how they fell; those that the task's answers lack are not there.
        labels: label -> in how many answers.
        tokens: those of the training texts, as the tokenizer calls them.
    """

    numbers: Mapping[str, Bins]
    labels: Mapping[str, int]
    tokens: Sequence[str]

    @classmethod
    def of(
        cls,
        task: Any,
        tokenizer: Tokenizer,
        *,
        train: Sequence[Record],
        measured: Sequence[Record],
        predictions: Sequence[Prediction],
    ) -> Reference:
        """The reference of a run.

        Args:
            train: the training records.
            measured: records that the model was not trained on.
            predictions: what it says of those.
        """
        trained = token_ids(task, tokenizer, train[:: -(-len(train) // MOST) or 1])
        seen, unknown = {each for ids in trained for each in ids}, unknown_id(tokenizer)
        looks = [
            look(ids, each, unknown=unknown, seen=seen)
            for ids, each in zip(token_ids(task, tokenizer, measured), predictions, strict=True)
        ]
        numbers = {"lengths": [float(len(ids)) for ids in trained], **numbers_of(looks)}
        edges = {"unknown": SHARES, "unseen": SHARES}
        names = sorted(name for each in seen if (name := tokenizer.backend.id_to_token(each)) is not None)
        return cls(
            {name: Bins.of(values, edges.get(name)) for name, values in numbers.items() if values},
            dict(labels_of(looks)),
            names,
        )

    def write(self, folder: Path) -> None:
        """Into a run folder."""
        write_json(folder / FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Reference | None:
        """Of a run folder, or of a folder in it; None where there is none that can be read."""
        path = next((path for each in (folder, folder.parent) if (path := each / FILE).is_file()), None)
        if path is None:
            return None
        try:
            told = read_json(path)
            numbers = {name: Bins(**each) for name, each in told["numbers"].items()}
            return cls(numbers, told["labels"], told["tokens"])
        except (Refused, KeyError, TypeError, AttributeError):
            return None


def numbers_of(looks: Sequence[Look]) -> dict[str, list[float]]:
    """The numbers of some records, but for their lengths."""
    return {
        "unknown": [each.unknown for each in looks],
        "unseen": [each.unseen for each in looks],
        "confidence": [each.confidence for each in looks if each.confidence is not None],
        "scores": [each.score for each in looks if each.score is not None],
    }


def labels_of(looks: Iterable[Look]) -> Counter[str]:
    """In how many answers each label is."""
    return Counter(label for each in looks for label in each.labels)


def counted(values: Iterable[float], edges: Sequence[float]) -> list[int]:
    """How many fall into each bin."""
    found = Counter(bisect.bisect_left(edges, value) for value in values)
    return [found[place] for place in range(len(edges) + 1)]


def _tenths(values: Sequence[float]) -> list[float]:
    """Upper bounds of tenths of the numbers, of equal ones one; the last tenth has none."""
    ordered = sorted(values)
    bounds = {ordered[max(0, len(ordered) * part // BINS - 1)] for part in range(1, BINS)}
    return sorted(bounds - {ordered[-1]})
