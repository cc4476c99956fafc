"""Rasa NLU training data (YAML): `- intent: x` with `examples: |`, entities marked inside the texts.

`[Paris](city)`, `[Paris](city:value)` and `[Paris]{"entity": "city", "role": "to"}` become spans of the text without
the marks; roles, groups and values stay with the span. Synonyms, lookups and regexes are no rows.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError

from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, refusal, union_of_keys
from weitiao.errors import Problem
from weitiao.messages import _, ngettext
from weitiao.records import Row

HEAD = 10_000  # characters by which a file is told
# rasa.shared.nlu.training_data.entities_parser
ENTITY = re.compile(
    r"\[(?P<text>[^\]]+?)\](?:\((?P<entity>[^:)]+?)(?::(?P<value>[^)]+))?\)|(?P<object>\{[^}]+?\})|\[(?P<objects>.*?)\])"
)
OTHERS = ("synonym", "lookup", "regex")


class Rasa:
    """Rasa NLU training data in YAML: intents with examples, entities marked in the text."""

    def sniff(self, source: Source) -> float:
        if source.is_gathered or source.suffix not in (".yml", ".yaml", ""):
            return 0.0
        head = source.decoded.text[:HEAD]
        return (
            0.95
            if re.search(r"^nlu:", head, re.M) and re.search(r"^\s*- (intent|synonym|lookup|regex):", head, re.M)
            else 0.0
        )

    def read(self, source: Source, _options: ReadOptions) -> Reading:
        blocks = _blocks(source)
        rows = [row for block in blocks if "intent" in block for row in _rows(block, source.name)]
        if not rows:
            raise refusal("empty-file", _("no intent with examples under `nlu`"), source.name)
        how = _("; ").join((source.decoded.how, _("entities are marked in the text")))
        file = FileReading(source.name, source.sha256, "rasa", len(rows), source.decoded.encoding, how)
        return Reading(file, union_of_keys(rows), rows, [*source.text_problems(), *_others(blocks, source.name)])


def _blocks(source: Source) -> list[Any]:
    """What stands under `nlu`, with the lines of each."""
    try:
        loaded = YAML(typ="rt").load(source.decoded.text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = _("not valid YAML ({reason})").format(reason=getattr(error, "problem", None) or "syntax")
        raise refusal("bad-yaml", message, source.name, mark.line + 1 if mark else 0) from error
    found = loaded.get("nlu") if isinstance(loaded, Mapping) else None
    if not isinstance(found, list):
        raise refusal("no-nlu", _("no list under `nlu`; expected intents with examples"), source.name)
    return [block for block in found if isinstance(block, Mapping)]


def _rows(block: Any, file: str) -> Iterator[Row]:
    intent, examples = str(block["intent"]), block.get("examples")
    first = block.lc.value("examples")[0] + 1 if examples is not None else 0
    if isinstance(examples, str):
        for number, line in enumerate(examples.split("\n"), start=first + 1):
            if line.strip():
                yield _row(line, intent, file, number)
        return
    if examples is None:
        return
    if not isinstance(examples, CommentedSeq):
        message = _("expected examples as text or as a list; got {got}").format(got=type(examples).__name__)
        yield Row({"label": intent}, file, first, message)
        return
    for index, example in enumerate(examples):
        text = example.get("text") if isinstance(example, Mapping) else example
        extra = {"metadata": example["metadata"]} if isinstance(example, Mapping) and "metadata" in example else {}
        for line in str(text or "").split("\n"):
            if line.strip():
                yield _row(line, intent, file, examples.lc.item(index)[0] + 1, extra)


def _row(line: str, intent: str, file: str, number: int, extra: Mapping[str, Any] | None = None) -> Row:
    marked = re.sub(r"^\s*-\s+", "", line).strip()
    try:
        text, spans = unmarked(marked)
    except ValueError as fault:
        return Row({"text": marked, "label": intent}, file, number, str(fault))
    return Row({"text": text, "spans": spans, "label": intent, **(extra or {})}, file, number)


def unmarked(marked: str) -> tuple[str, list[dict[str, Any]]]:
    """The text without its marks, and the spans that they make.

    Raises:
        ValueError: a mark names no entity.
    """
    parts: list[str] = []
    spans: list[dict[str, Any]] = []
    length = last = 0
    for found in ENTITY.finditer(marked):
        before, surface = marked[last : found.start()], found["text"]
        start = length + len(before)
        parts += [before, surface]
        length, last = start + len(surface), found.end()
        spans += [{"start": start, "end": length, "text": surface, **entity} for entity in _entities(found)]
    return "".join([*parts, marked[last:]]), spans


def _entities(found: re.Match[str]) -> Iterator[dict[str, str]]:
    """The entities of one mark, usually one: `label`, and what else is said of it."""
    if found["entity"]:
        yield {"label": found["entity"], **({"value": found["value"]} if found["value"] else {})}
        return
    try:
        given = json.loads(found["object"] or f"[{found['objects']}]")
    except ValueError as error:
        raise ValueError(_("the mark {mark} is not valid JSON").format(mark=found[0][:60])) from error
    for each in given if isinstance(given, list) else [given]:
        if not isinstance(each, dict) or not each.get("entity"):
            raise ValueError(_("the mark {mark} names no entity").format(mark=found[0][:60]))
        yield {
            "label": str(each["entity"]),
            **{key: str(each[key]) for key in ("role", "group", "value") if key in each},
        }


def _others(blocks: list[Any], file: str) -> list[Problem]:
    counts = Counter(kind for block in blocks for kind in OTHERS if kind in block)
    if not counts:
        return []
    total = sum(counts.values())
    message = ngettext(
        "{count} block gives no rows and is left out ({kinds})",
        "{count} blocks give no rows and are left out ({kinds})",
        total,
    ).format(count=total, kinds=", ".join(f"{kind}: {count}" for kind, count in counts.items()))
    return [Problem("no-rows", message, file=file, severity="note")]
