"""Spans and the relations among them, as the exports of annotation tools have them, and the pairs in such a row.

A text with the values of `spans` and `relations` goes in; the spans in order with the relations by their places come
out, or a `RowFault` that says what is wrong. Relations name spans by their ids, or by their places in the row where
they have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from weitiao.messages import _
from weitiao.recipe import shown
from weitiao.records import Relation, Span
from weitiao.tasks import FieldSpec, RowFault
from weitiao.tasks.spans import SHOWN, read_spans
from weitiao.tasks.values import digest, json_list_of, text_of

SPANS = FieldSpec("spans", required=False, only_labelled=True, aliases=("spans", "entities"))
RELATIONS = FieldSpec("relations", required=False, only_labelled=True, aliases=("relations",))


@dataclass(frozen=True, slots=True)
class Graph:
    """The spans of a text, in order, and the relations among them, by their places."""

    spans: tuple[Span, ...]
    relations: tuple[Relation, ...]

    def unrelated(self, max_distance: int | None = None) -> Iterator[tuple[int, int]]:
        """Ordered pairs of different pieces without a relation, no further apart than so many characters."""
        related = {(each.head, each.tail) for each in self.relations}
        for head, tail in permutations(range(len(self.spans)), 2):
            one, other = self.spans[head], self.spans[tail]
            near = max_distance is None or distance(one, other) <= max_distance
            if near and one.bounds != other.bounds and (head, tail) not in related:
                yield head, tail


def read_graph(text: str, spans: object, relations: object) -> Graph:
    """The graph of a row; no relations where it says nothing of them.

    Raises:
        RowFault: a span is none of the text, or a relation joins what is not there.
    """
    given = [(_id(each, place), span) for place, each in enumerate(json_list_of(spans, "spans") or ())
             for span in read_spans(text, [each]) or ()]  # fmt: skip
    given.sort(key=lambda named: (*named[1].bounds, named[1].label))
    places = {name: place for place, (name, _each) in enumerate(given)}
    if len(places) < len(given):
        raise RowFault(_("two spans have the same id; relations cannot tell which of them is meant"))
    found = dict.fromkeys(_relation(each, places) for each in json_list_of(relations, "relations") or ())
    return Graph(tuple(span for _name, span in given), tuple(found))


def distance(one: Span, other: Span) -> int:
    """Characters between two spans; 0 where they overlap."""
    return max(max(one.start, other.start) - min(one.end, other.end), 0)


def sample(pairs: Sequence[tuple[int, int]], count: int, seed: str) -> list[tuple[int, int]]:
    """`count` of the pairs, in order; the same for the same seed, whatever else is drawn."""
    drawn = sorted(pairs, key=lambda pair: digest(f"{seed} {pair}"))[:count]
    return sorted(drawn)


def _id(span: Any, place: int) -> str:
    named = span.get("id") if isinstance(span, Mapping) else None
    return str(place if named is None else named)


def _relation(value: Any, places: Mapping[str, int]) -> Relation:
    """One relation: `{"head": ID, "tail": ID, "label": ...}` or `[head, tail, label]`."""
    if isinstance(value, Mapping):
        value = [value.get(key) for key in ("head", "tail", "label")]
    if not isinstance(value, list | tuple) or len(value) != 3 or any(each is None for each in value):
        raise RowFault(
            _("expected a relation as an object with head, tail and label; got {got}").format(got=shown(value, SHOWN))
        )
    head, tail, label = (text_of(each) or "" for each in value)
    if not {head, tail} <= places.keys():
        raise RowFault(_("the relation {label} joins a span that is not there").format(label=label))
    if head == tail:
        raise RowFault(_("the relation {label} joins a span with itself").format(label=label))
    return Relation(head=places[head], tail=places[tail], label=label.strip())
