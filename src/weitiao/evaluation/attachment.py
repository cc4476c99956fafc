"""The cheap tree: every word hangs on its neighbour, and what it is called is what its form is called most often.

The neighbour is the next word or the one before, whichever is right more often in the training rows; the last or first
word is the root. A form that they lack is what forms that they hold once most often are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weitiao.evaluation.baselines import Answers, Splits
from weitiao.metrics.trees import GoldWord, gold_words
from weitiao.records import ParsedToken, ParsePrediction, ParseRecord

NEXT, BEFORE = "next", "before"
MARK = "\t"  # before a key that is no form
ONCE, ALL = f"{MARK}once", f"{MARK}all"


def right_attachment(task: Any, splits: Splits) -> Answers:
    """Trees of neighbours."""
    train = [gold_words(record) for record in splits.train]
    shares = {direction: _share(train, direction) for direction in (NEXT, BEFORE)}
    direction = max(shares, key=lambda each: shares[each])
    names = _Names.of(task, splits.train)
    answers = [_tree(task, record, direction, shares[direction], names) for record in splits.rows]
    return Answers(answers, {"head": direction})


def _heads(words: int, direction: str) -> list[int]:
    """The head of each word."""
    return [*range(2, words + 1), 0] if direction == NEXT else list(range(words))


def _share(train: Sequence[Sequence[GoldWord]], direction: str) -> float:
    right = sum(
        word.head == head for words in train for word, head in zip(words, _heads(len(words), direction), strict=True)
    )
    return right / max(sum(map(len, train)), 1)


@dataclass(frozen=True, slots=True)
class _Names:
    """The commonest part of speech of each form, and relation of each form and part.

    Args:
        upos: form, forms that occur once, all others -> part of speech.
        relations: form, part of speech, all -> relation of a word that is no root.
        root: relation of a root.
    """

    upos: dict[str, str]
    relations: dict[str, str]
    root: str

    @classmethod
    def of(cls, task: Any, train: Sequence[ParseRecord]) -> _Names:
        words = [each for record in train for each in zip(_forms(task, record), gold_words(record), strict=True)]
        times = Counter(form for form, _word in words)
        upos: dict[str, Counter[str]] = defaultdict(Counter)
        relations: dict[str, Counter[str]] = defaultdict(Counter)
        roots = Counter(word.deprel for _form, word in words if word.head == 0)
        for form, word in words:
            upos[form][word.upos] += 1
            upos[ONCE if times[form] == 1 else ALL][word.upos] += 1
            for key in (form, _part(word.upos), ALL) if word.head else ():
                relations[key][word.deprel] += 1
        return cls(_commonest(upos), _commonest(relations), roots.most_common(1)[0][0])

    def upos_of(self, form: str) -> str:
        return next(self.upos[key] for key in (form, ONCE, ALL) if key in self.upos)

    def relation_of(self, form: str, upos: str) -> str:
        keys = (form, _part(upos), ALL)
        return next((self.relations[key] for key in keys if key in self.relations), self.root)


def _part(upos: str) -> str:
    return f"{MARK}{upos}"


def _commonest(counts: dict[str, Counter[str]]) -> dict[str, str]:
    return {key: each.most_common(1)[0][0] for key, each in counts.items()}


def _forms(task: Any, record: ParseRecord) -> list[str]:
    return [record.text[start:end].casefold() for start, end in task.words(record)]


def _tree(task: Any, record: ParseRecord, direction: str, share: float, names: _Names) -> ParsePrediction:
    forms, words = _forms(task, record), task.words(record)
    tokens = []
    for (start, end), form, head in zip(words, forms, _heads(len(words), direction), strict=True):
        upos = names.upos_of(form)
        deprel = names.relation_of(form, upos) if head else names.root
        surface = record.text[start:end]
        tokens.append(
            ParsedToken(form=surface, start=start, end=end, upos=upos, head=head, deprel=deprel, confidence=share)
        )
    return ParsePrediction(tokens=tuple(tokens))
