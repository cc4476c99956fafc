"""Parse: the part of speech of each word, and the dependency tree over them.

Fields `text` and `tokens` with `upos`, `heads` and `deprels`, as the CoNLL-U reader gives them, become a `ParseRecord`;
the words that the model can read become one `Feature`, whose scores of every word under every head are read as the best
tree with one root. Offsets are half-open and count characters of the untouched text.

Notation: W words, R words read, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.metrics import Metric
from weitiao.metrics.trees import GoldWord, gold_words, tree_metrics
from weitiao.recipe import Finding, Options, TrainingSpec, shown
from weitiao.records import Feature, IntArray, Outputs, ParsedToken, ParsePrediction, ParseRecord
from weitiao.tasks import FieldSpec, RowFault, Settings
from weitiao.tasks.base import BaseTask
from weitiao.tasks.label_audit import LabelCounts, audit_inventory, unanswerable
from weitiao.tasks.labels import in_natural_order
from weitiao.tasks.spans import SHOWN, read_tokens
from weitiao.tasks.trees import DEPREL, UPOS, best_tree, head_probabilities, names_of, tree_fault
from weitiao.tasks.units import Bounds, UnitTokenizer, units_of
from weitiao.tasks.values import is_blank, list_of, text_of
from weitiao.text import Tokenizer

IGNORED = -100  # target of a word whose head the model does not read
UNREAD = ("X", "dep")  # UD's part of speech and relation for what is not told, of words that the model does not read

# fmt: off
TEXT = FieldSpec("text", required=False, aliases=("text", "sentence", "content", "\u6587\u672c", "\u53e5\u5b50"))
TOKENS = FieldSpec("tokens", required=False, asked=False, aliases=("tokens", "words", "\u8bcd"))
BOUNDS = FieldSpec("bounds", required=False, asked=False, aliases=("bounds", "offsets"))
PARTS = FieldSpec("upos", required=False, only_labelled=True, aliases=("upos", "pos", "\u8bcd\u6027"))
HEADS = FieldSpec("heads", required=False, only_labelled=True, aliases=("heads", "head"))
RELATIONS = FieldSpec("deprels", required=False, only_labelled=True, aliases=("deprels", "deprel", "relations"))
# fmt: on


class ParseOptions(Options):
    """What a recipe may say under `task: {name: parse, ...}`."""

    arc_size: int = Field(
        default=500, ge=1, description="width of the layers that score which word hangs on which"
    )  # Dozat & Manning 2017, table 1
    label_size: int = Field(
        default=100, ge=1, description="width of the layers that score the relations"
    )  # Dozat & Manning 2017, table 1


class Parse(BaseTask):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "parse"
    options_model: ClassVar[type[ParseOptions]] = ParseOptions
    record: ClassVar[type[ParseRecord]] = ParseRecord
    prediction: ClassVar[type[ParsePrediction]] = ParsePrediction
    head: ClassVar[str] = "parse"
    fields: ClassVar[Sequence[FieldSpec]] = (TEXT, TOKENS, BOUNDS, PARTS, HEADS, RELATIONS)
    baselines: ClassVar[Sequence[str]] = ("right_attachment",)

    def __init__(self, options: ParseOptions | None = None) -> None:
        self.options = options or ParseOptions()

    def read(
        self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True
    ) -> ParseRecord:
        text, tokens = _words(fields)
        if text is None or is_blank(text):
            raise RowFault(_("empty {field}").format(field="text"))
        upos, deprels = _names(fields.get("upos"), "upos"), _names(fields.get("deprels"), "deprels")
        heads = _heads(fields.get("heads"))
        made = partial(ParseRecord, file=file, line=line, group=group, text=text, tokens=tokens)
        missing = [field for field, cells in (("upos", upos), ("heads", heads), ("deprels", deprels)) if cells is None]
        if labelled and (missing or tokens is None):
            raise RowFault(_("no {fields}").format(fields=", ".join([*([] if tokens else ["tokens"]), *missing])))
        if upos is None or heads is None or deprels is None or tokens is None:
            return made(upos=None, heads=None, deprels=None)
        for field, cells in (("upos", upos), ("heads", heads), ("deprels", deprels)):
            if len(cells) != len(tokens):
                message = _("{got} {field} for {tokens} tokens")
                raise RowFault(message.format(got=len(cells), field=field, tokens=len(tokens)))
        fault = tree_fault(heads)
        if fault:
            raise RowFault(fault)
        return made(upos=upos, heads=heads, deprels=deprels)

    def surface(self, record: ParseRecord) -> str:
        return record.text

    def answer(self, record: ParseRecord) -> str:
        return " | ".join(f"{word.upos} {word.deprel} {word.head}" for word in gold_words(record))

    def label_space(self, records: Sequence[ParseRecord]) -> Sequence[str]:
        """Relations, then parts of speech, each with its kind before it: `deprel:nsubj`, `upos:NOUN`."""
        return in_natural_order(label for record in records for label in _labels(record))

    def classes(self, labels: Sequence[str]) -> Sequence[str]:
        return labels

    def head_options(self) -> Mapping[str, Any]:
        return {"arc_size": self.options.arc_size, "label_size": self.options.label_size}

    def audit(self, splits: Mapping[str, Sequence[ParseRecord]], labels: Sequence[str]) -> list[Problem]:
        return audit_inventory({split: _label_counts(records) for split, records in splits.items()}, labels)

    def unanswerable(self, records: Sequence[ParseRecord], labels: Sequence[str]) -> list[Problem]:
        return unanswerable(_label_counts(records), labels)

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:
        if training.label_smoothing:
            message = _("`training.label_smoothing` has no effect on the task '{task}'; remove it").format(
                task=self.name
            )
            yield Finding("misfit", ("training", "label_smoothing"), message)

    def words(self, record: ParseRecord) -> Sequence[Bounds]:
        """(start, end) of the words that the tree is over: the source's, or the units of the text."""
        return record.tokens or units_of(record.text)

    def encode(
        self, records: Sequence[ParseRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        pieces, wrapping = UnitTokenizer.of(tokenizer), tokenizer.wrapping()
        words = [self.words(record) for record in records]
        units = [list(dict.fromkeys(each)) for each in words]  # words that share a form are read once
        encoded = pieces.encode_all([(record.text, each) for record, each in zip(records, units, strict=True)])
        parts, relations = _places(UPOS, labels), _places(DEPREL, labels)
        room = max_length - len(wrapping)
        features: list[Feature] = []
        for group, record in enumerate(records):
            ids, places = _laid_out(words[group], units[group], encoded[group])
            tokens = np.array([place for place in places if place < room], dtype=np.int64)  # [R]
            whole, types = wrapping.wrap(ids[:room])
            features.append(
                Feature(
                    whole,
                    types if tokenizer.segments else None,
                    _targets(gold_words(record)[: len(tokens)], parts, relations),
                    group,
                    max(len(ids) - room, 0),
                    {"tokens": tokens + len(wrapping.before)},
                )
            )
        return features

    def decode(
        self,
        record: ParseRecord,
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,  # noqa: ARG002
    ) -> ParsePrediction:
        (feature,), (output,) = features, outputs
        words, read = self.words(record), len(feature.places["tokens"])
        arcs = output["arcs"][:read, : read + 1].astype(np.float64)  # [R, R + 1]
        heads = best_tree(arcs)  # [R]
        relations, parts = names_of(DEPREL, labels), names_of(UPOS, labels)
        chosen = output["deprels"][np.arange(read), heads].astype(np.int64)  # [R]
        found = zip(
            (parts[each] for each in output["upos"][:read].astype(np.int64)),
            heads.tolist(),
            (relations[each] for each in chosen),
            head_probabilities(arcs, heads).tolist(),
            strict=True,
        )
        rest = ((UNREAD[0], word, UNREAD[1], 0.0) for word in range(read, len(words)))  # each on the word before it
        return ParsePrediction(
            tokens=tuple(
                ParsedToken(
                    form=record.text[start:end], start=start, end=end,
                    upos=upos, head=head, deprel=deprel, confidence=sure,
                )
                for (start, end), (upos, head, deprel, sure) in zip(words, [*found, *rest], strict=True)
            )
        )  # fmt: skip

    def right(self, prediction: ParsePrediction, record: ParseRecord) -> bool:
        return [(each.upos, each.head, each.deprel) for each in prediction.tokens] == gold_words(record)

    def metrics(self, labels: Sequence[str]) -> Sequence[Metric]:  # noqa: ARG002
        return tree_metrics()


def _words(fields: Mapping[str, object]) -> tuple[str | None, tuple[Bounds, ...] | None]:
    """The text, and the bounds of its words where the row tells them."""
    text, tokens, bounds = (
        text_of(fields.get("text")),
        fields.get("tokens"),
        list_of(fields.get("bounds"), "bounds") or None,
    )
    if text is None or is_blank(text):
        return read_tokens(None, tokens)
    if bounds is None:
        return read_tokens(text, tokens)
    found = tuple(_bounds(text, each) for each in bounds)
    for before, own in pairwise(found):
        if own != before and own[0] < before[1]:
            raise RowFault(
                _("the word {start}-{end} begins before the one in front of it ends").format(start=own[0], end=own[1])
            )
    forms = list_of(tokens, "tokens") or None
    if forms is not None and [text[start:end] for start, end in found] != [text_of(form) for form in forms]:
        raise RowFault(_("the `bounds` do not cut the tokens out of the text"))
    return text, found


def _bounds(text: str, value: object) -> Bounds:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(isinstance(each, int) for each in value):
        raise RowFault(_("expected a word as [start, end]; got {got}").format(got=shown(value, SHOWN)))
    start, end = value
    if not 0 <= start < end <= len(text):
        message = _("the word {start}-{end} lies outside the text of {length} characters")
        raise RowFault(message.format(start=start, end=end, length=len(text)))
    return start, end


def _names(value: object, field: str) -> tuple[str, ...] | None:
    """One name a word; None where none is told, which CoNLL-U writes as `_`."""
    names = [(text_of(each) or "").strip() for each in list_of(value, field) or ()]
    if all(name in ("", "_") for name in names):
        return None
    empty = next((word for word, name in enumerate(names, start=1) if name in ("", "_")), None)
    if empty is not None:
        raise RowFault(_("word {word} has no {field}").format(word=empty, field=field))
    return tuple(names)


def _heads(value: object) -> tuple[int, ...] | None:
    names = _names(value, "heads")
    wrong = next(((word, each) for word, each in enumerate(names or (), start=1) if not each.isdecimal()), None)
    if wrong is not None:
        message = _("the head of word {word} is '{head}'; expected the number of a word, or 0 for the root")
        raise RowFault(message.format(word=wrong[0], head=wrong[1][:SHOWN]))
    return None if names is None else tuple(int(each) for each in names)


def _labels(record: ParseRecord) -> Iterator[str]:
    yield from (DEPREL + deprel for deprel in record.deprels or ())
    yield from (UPOS + upos for upos in record.upos or ())


def _label_counts(records: Sequence[ParseRecord]) -> LabelCounts:
    return LabelCounts.of((list(_labels(record)), record.file, record.line) for record in records)


def _laid_out(
    words: Sequence[Bounds], units: Sequence[Bounds], encoded: Sequence[tuple[tuple[int, ...], int]]
) -> tuple[list[int], list[int]]:
    """The token ids of the units, [T], and which of them stands for each word, [W].

    It is the first of the word; of words that share a form, each further one takes the next token while there is one.
    """
    ids: list[int] = []
    opening: dict[Bounds, range] = {}
    for unit, (tokens, first) in zip(units, encoded, strict=True):
        opening[unit] = range(len(ids) + first, len(ids) + len(tokens))
        ids += tokens
    places, rank = [], 0
    for word, before in zip(words, [None, *words], strict=False):
        rank = rank + 1 if word == before else 0
        places.append(opening[word][min(rank, len(opening[word]) - 1)])
    return ids, places


def _places(kind: str, labels: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names_of(kind, labels))}


def _targets(words: Sequence[GoldWord], parts: Mapping[str, int], relations: Mapping[str, int]) -> dict[str, IntArray]:
    """What the words that are read should be; nothing where the training rows lack one of their labels."""
    if not all(word.upos in parts and word.deprel in relations for word in words):
        return {}
    heads = [word.head if word.head <= len(words) else IGNORED for word in words]
    found = {
        "heads": heads,
        "deprels": [relations[word.deprel] for word in words],
        "upos": [parts[word.upos] for word in words],
    }
    return {name: np.array(values, dtype=np.int64) for name, values in found.items()} if words else {}
