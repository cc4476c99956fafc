"""Cloze: classify by the word that a language model puts into a gap (pattern-exploiting training).

A `pattern` turns the text into a sentence with a gap, a `verbaliser` gives each label its words (Schick and Schütze
2021). The `Feature` says in `places` where the gap is (`gap`) and which pieces stand for each class (`pieces`); the
head makes `logits` [C] of what the pretrained language model says there. Nothing about the head is new, so a dozen
labels teach it much, and none at all something. Everything behind the logits is classification.

Notation: T tokens, C classes, W words of a class, P pieces of a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.recipe import Finding, Options
from weitiao.records import ClassifyRecord, Feature, IntArray
from weitiao.tasks.classify import Classify, ClassifyOptions
from weitiao.tasks.pairs import CHUNK
from weitiao.tasks.patterns import TEXT, TEXT_PAIR, Gap, Pattern, padded
from weitiao.tasks.values import is_blank, text_of
from weitiao.text import Tokenizer


class ClozeOptions(Options):
    """What a recipe may say under `task: {name: cloze, ...}`."""

    pattern: str = Field(
        default="{text} {mask}",
        description="the sentence with a gap: {text}, {text_pair} where rows are pairs, and {mask}; of a causal model "
        "{mask} stands last",
    )
    verbaliser: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="label -> the word that stands for it in the gap, or a list of words; default: each label itself",
    )
    kind: Literal["masked", "causal"] = Field(
        default="masked",
        description="masked: models such as BERT, which fill the gap; causal: models such as GPT-2, which go on",
    )
    abstain_below: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="give no answer when the probability of the most likely label is below this",
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="weight of each label in the loss: none, or balanced (by rarity)"
    )

    @field_validator("verbaliser", mode="before")
    @classmethod
    def _as_texts(cls, value: object) -> object:
        """YAML reads `{0: bad}` with a number for a label; and one word needs no list."""
        if not isinstance(value, dict):
            return value
        return {text_of(label): _words(words) for label, words in value.items()}

    @field_validator("verbaliser")
    @classmethod
    def _whole(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if len(value) == 1:
            raise ValueError(_("a verbaliser has a word for each of at least two labels"))
        for label, words in value.items():
            if not words or any(is_blank(word) for word in words):
                raise ValueError(_("'{label}' has no word").format(label=label))
        return value

    @model_validator(mode="after")
    def _pattern_fits(self) -> ClozeOptions:
        pattern = Pattern.of(self.pattern)
        if self.kind == "causal" and not pattern.ends_with_gap:
            raise ValueError(_("a causal model says what follows; put {mask} at the end of `pattern`"))
        return self


class Cloze(Classify):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "cloze"
    options_model: ClassVar[type[Any]] = ClozeOptions
    hub: ClassVar[str] = ""
    decisive: ClassVar[Sequence[str]] = ()
    pools: ClassVar[bool] = False

    def __init__(self, options: ClozeOptions | None = None) -> None:
        self.cloze = options or ClozeOptions()
        super().__init__(
            ClassifyOptions(
                labels=tuple(self.cloze.verbaliser) or None,
                abstain_below=self.cloze.abstain_below,
                class_weights=self.cloze.class_weights,
            )
        )
        causal = self.cloze.kind == "causal"
        self.head = "cloze_causal" if causal else "cloze"  # type: ignore[misc]
        self.stock = "AutoModelForCausalLM" if causal else "AutoModelForMaskedLM"  # type: ignore[misc]
        self._gap = Gap(Pattern.of(self.cloze.pattern), causal)

    def words(self, label: str) -> tuple[str, ...]:
        """What stands for a label in the gap."""
        return self.cloze.verbaliser.get(label, (label,))

    def audit(self, splits: Mapping[str, Sequence[ClassifyRecord]], labels: Sequence[str]) -> list[Problem]:
        return [*super().audit(splits, labels), *self._wrong_pattern(splits)]

    def _wrong_pattern(self, splits: Mapping[str, Sequence[ClassifyRecord]]) -> Iterator[Problem]:
        """A pattern with a second text where rows have none, or the other way round."""
        first = next((record for records in splits.values() for record in records), None)
        paired = self._gap.pattern.paired
        if first is None or (first.text_pair is not None) is paired:
            return
        if paired:
            message = _("`task.pattern` has {text_pair}, and the rows have no second text; take it out")
        else:
            message = _("the rows are pairs of texts, and `task.pattern` has no {text_pair}; put it in")
        yield Problem("misfit", message, file=first.file, line=first.line)

    def wording(self, tokenizer: Tokenizer, labels: Sequence[str], max_length: int) -> Iterator[Finding]:
        """What the tokenizer makes of pattern and words that cannot be asked: a finding each."""
        if not self._gap.causal and not tokenizer.mask_token:
            message = _("the model's tokenizer has no mask token; a causal model needs `task.kind: causal`")
            yield Finding("no-mask", ("task", "kind"), message)
            return
        length = self._gap.tokens(tokenizer)
        if length >= max_length:
            message = _("`task.pattern` alone takes {got} tokens, and a text has room for {limit}; shorten it")
            yield Finding("misfit", ("task", "pattern"), message.format(got=length, limit=max_length))
        yield from self._unknown_words(tokenizer, labels)
        yield from self._same_words(tokenizer, labels)

    def _unknown_words(self, tokenizer: Tokenizer, labels: Sequence[str]) -> Iterator[Finding]:
        unknown = getattr(tokenizer.backend.model, "unk_token", None)
        piece = tokenizer.backend.token_to_id(unknown) if unknown else None
        for label in labels:
            for word in self.words(label):
                pieces = self._gap.pieces(word, tokenizer)
                if not pieces or piece in pieces:
                    message = _("the model does not know the word '{word}' of label '{label}'; give another word")
                    yield Finding("unknown-word", ("task", "verbaliser"), message.format(word=word, label=label))

    def _same_words(self, tokenizer: Tokenizer, labels: Sequence[str]) -> Iterator[Finding]:
        """Words of two labels that the model cannot tell apart: the order of pieces does not show in one gap."""
        owner: dict[tuple[int, ...], str] = {}
        for label in labels:
            for word in self.words(label):
                other = owner.setdefault(tuple(sorted(self._gap.pieces(word, tokenizer))), label)
                if other != label:
                    message = _("the word '{word}' of label '{label}' has the same pieces as one of '{other}'")
                    text = message.format(word=word, label=label, other=other)
                    yield Finding("same-word", ("task", "verbaliser"), text)

    def encode(
        self, records: Sequence[ClassifyRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        index = {label: position for position, label in enumerate(labels)}
        targets = {gold: self._targets(gold, index) for gold in {record.labels for record in records}}
        pieces = self._pieces(tokenizer, labels)
        features = []
        for start in range(0, len(records), CHUNK):
            chunk = records[start : start + CHUNK]
            rows = [{TEXT: record.text, TEXT_PAIR: record.text_pair or ""} for record in chunk]
            found = self._gap.encode(rows, tokenizer, max_length)
            for group, (record, (tokens, gap)) in enumerate(zip(chunk, found, strict=True), start):
                places = {"gap": np.array([gap], dtype=np.int64), "pieces": pieces}
                target = targets[record.labels]
                features.append(Feature(tokens.ids, tokens.types, target, group, tokens.cut, places))
        return features

    def _pieces(self, tokenizer: Tokenizer, labels: Sequence[str]) -> IntArray:
        """[C, W, P], filled with -1."""
        return padded([[self._gap.pieces(word, tokenizer) for word in self.words(label)] for label in labels])


def _words(value: object) -> object:
    return tuple(text_of(each) for each in (value if isinstance(value, list | tuple) else [value]))
