"""Words with their tags behind a slash, `希望/n  的/u`, a line each: the People's Daily corpus and its like.

A line becomes `text`, `tokens` and `tags`; compounds in brackets, `[中国/ns  政府/n]nt`, become `spans`. The
number that opens the lines of the original, `19980101-01-001-001/m`, is no word: it is the row's `id`, and its
article the `document`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from weitiao.data.reading.conll import of_characters
from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, refusal, union_of_keys
from weitiao.messages import _
from weitiao.records import Row
from weitiao.text import join_tokens

NUMBER = re.compile(r"(?P<document>\d{8}-\d+-\d+)-\d+/m")
WORD = re.compile(r"(?P<opening>\[*)(?P<word>.+?)/(?P<tag>[A-Za-z][A-Za-z0-9*$+-]{0,7})(?P<closing>(?:\]/?[A-Za-z]+)*)")
SOUND = re.compile(r"\{[^{}]*\}$")  # the sound of a character that has several, as in later editions
HEAD = 100_000  # characters by which a file is told
SAMPLE = 200  # lines of them
TAGGED = 0.98  # share of their words that must have a tag
FEWEST = 5  # words from which that is evidence


class WordTag:
    """Words with a slash and a tag, a sentence a line (People's Daily)."""

    def sniff(self, source: Source) -> float:
        if source.is_gathered or source.first_objects:
            return 0.0
        lines = islice(source.decoded.text[:HEAD].splitlines(), SAMPLE)
        words = [word for line in lines for word in line.split()]
        tagged = sum(WORD.fullmatch(word) is not None for word in words)
        return 0.9 if len(words) >= FEWEST and tagged >= TAGGED * len(words) else 0.0

    def read(self, source: Source, _options: ReadOptions) -> Reading:
        lines = re.split("\r\n|\n|\r", source.decoded.text)
        filled = [(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip("\ufeff \t\u3000")]
        parsed = [(number, _Sentence(words)) for number, words in filled]
        if not any(sentence.words for _number, sentence in parsed):
            raise refusal("empty-file", _("the file holds no words with tags"), source.name)
        characters = of_characters([word for _number, sentence in parsed for word in sentence.words])
        marks = any(sentence.compounds for _number, sentence in parsed)
        rows = [
            Row(sentence.fields(characters=characters, marks=marks), source.name, number, sentence.fault)
            for number, sentence in parsed
            if sentence.words or sentence.fault
        ]
        file = FileReading(
            source.name, source.sha256, "word_tag", len(rows), source.decoded.encoding, source.decoded.how, header=False
        )
        return Reading(file, union_of_keys(rows), rows, source.text_problems())


class _Sentence:
    """The words of a line, their tags, and the compounds of several words as (first, behind the last, label)."""

    def __init__(self, given: Sequence[str]) -> None:
        self.words: list[str] = []
        self.tags: list[str] = []
        self.compounds: list[tuple[int, int, str]] = []
        self.named: dict[str, object] = {}
        self.fault = ""
        opened: list[int] = []
        found = NUMBER.fullmatch(given[0].lstrip("\ufeff"))
        if found:
            self.named = {"id": found[0].removesuffix("/m"), "document": found["document"]}
        for each in given[1 if found else 0 :]:
            self._add(each.lstrip("\ufeff"), opened)
        if opened and not self.fault:
            self.fault = _("a bracket that is never closed")

    def _add(self, given: str, opened: list[int]) -> None:
        word, _slash, tag = given.rpartition("/")
        if word and tag.isascii() and tag.isalpha() and given[0] != "[" and "]" not in given and "{" not in given:
            self.words.append(word)
            self.tags.append(tag)
            return
        found = WORD.fullmatch(given)
        if found is None:
            self.fault = self.fault or _("'{word}' has no tag").format(word=given[:30])
            return
        opened += [len(self.words)] * len(found["opening"])
        self.words.append(SOUND.sub("", found["word"]) or found["word"])
        self.tags.append(found["tag"])
        for label in re.findall("[A-Za-z]+", found["closing"]):
            if opened:
                self.compounds.append((opened.pop(), len(self.words), label))
            else:
                self.fault = self.fault or _("a bracket that was never opened, at '{word}'").format(word=given[:30])

    def fields(self, *, characters: bool, marks: bool) -> dict[str, object]:
        """The row; `marks` says whether any line of the file has compounds."""
        if self.fault:
            return self.named
        text = join_tokens(self.words, characters=characters)
        fields: dict[str, object] = {"text": text, "tokens": self.words, "tags": self.tags}
        if marks:
            fields["spans"] = self._spans(text)
        return {**fields, **self.named}

    def _spans(self, text: str) -> list[dict[str, object]]:
        bounds, end = [], 0
        for word in self.words:
            start = text.index(word, end)
            end = start + len(word)
            bounds.append((start, end))
        spans = [(bounds[first][0], bounds[last - 1][1], label) for first, last, label in sorted(self.compounds)]
        return [{"start": start, "end": end, "label": label, "text": text[start:end]} for start, end, label in spans]
