"""Events as sources write them: FewFC's mentions, DuEE's start indices, our own form.

A row's value goes in, `Event`s of the untouched text come out, or a `RowFault` that says what is wrong with one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from weitiao.messages import _
from weitiao.recipe import shown
from weitiao.records import Event, Span
from weitiao.tasks import RowFault
from weitiao.tasks.spans import ENDS, LABELS, SHOWN, STARTS, SURFACES, checked, first_of, whole_number
from weitiao.tasks.values import json_list_of, text_of

SEPARATOR = " / "  # between an event's type and a role, in the label space
TYPES = ("type", "event_type", "label")
TRIGGER = "trigger"  # also the role by which FewFC marks it
SPANS = ("span", "offsets", "offset")
OWN_STARTS = (*STARTS, "argument_start_index", "trigger_start_index")
E = TypeVar("E", bound=Event)
OWN_SURFACES = (*SURFACES, "argument", TRIGGER)


def read_events(text: str, value: object) -> tuple[Event, ...] | None:
    """The events of a row, in order, each once; None where the row says nothing of them, which `[]` is not.

    Raises:
        RowFault: one is no event of this text.
    """
    listed = json_list_of(value, "events")
    return None if listed is None else in_order({_event(text, each) for each in listed})


def in_order(events: Iterable[E]) -> tuple[E, ...]:
    """By trigger, type and arguments."""
    return tuple(sorted(events, key=lambda each: (each.start, each.end, each.type, places(each.arguments))))


def places(spans: Sequence[Span]) -> list[tuple[int, int, str]]:
    """(start, end, label) of each, in order."""
    return sorted((span.start, span.end, span.label) for span in spans)


def _event(text: str, value: Any) -> Event:
    """One event: `{"type", "mentions"}`, one of which is the trigger, or `{"type", "trigger", "arguments"}`."""
    if not isinstance(value, Mapping):
        raise RowFault(_("expected an event as an object; got {got}").format(got=shown(value, SHOWN)))
    name = _name(first_of(value, TYPES), _("an event without a type"))
    mentions = [(_role(each), each) for each in _arguments(value)]
    triggers = [each for role, each in mentions if role == TRIGGER]
    if value.get(TRIGGER) is not None or value.get("start") is not None:
        told = value.get(TRIGGER)
        triggers.append(value if told is None or isinstance(told, str) else told)
    if len(triggers) != 1:
        message = _("an event '{type}' with {count} triggers; expected one")
        raise RowFault(message.format(type=name, count=len(triggers)))
    trigger = _piece(text, triggers[0], name)
    arguments = {_piece(text, each, role) for role, each in mentions if role != TRIGGER}
    found = [Span(start=start, end=end, label=label) for start, end, label in places(list(arguments))]
    return Event(type=name, start=trigger.start, end=trigger.end, arguments=tuple(found))


def _arguments(event: Mapping[str, Any]) -> Sequence[Any]:
    """What an event lists; FewFC calls them mentions, the trigger among them."""
    return json_list_of(event.get("mentions") or event.get("arguments"), "arguments") or ()


def _role(value: Any) -> str:
    """The role of an argument: an object with `role`, or `[start, end, role]`."""
    if isinstance(value, list | tuple) and len(value) == 3:
        return _name(value[2], _("an argument without a role"))
    if not isinstance(value, Mapping):
        raise RowFault(_("expected an argument as [start, end, role]; got {got}").format(got=shown(value, SHOWN)))
    return _name(first_of(value, ("role", *LABELS)), _("an argument without a role"))


def _name(value: object, missing: str) -> str:
    name = (text_of(value) or "").strip()
    if not name:
        raise RowFault(missing)
    if SEPARATOR in name:
        raise RowFault(
            _("'{name}' holds '{separator}', which parts a type from its roles").format(name=name, separator=SEPARATOR)
        )
    return name


def _piece(text: str, value: Any, label: str) -> Span:
    """`[start, end, ...]`, or an object with `span`, with `start` and `end`, or with a start and its own words."""
    if isinstance(value, list | tuple) and len(value) in (2, 3):
        return checked(text, whole_number(value[0]), whole_number(value[1]), label)
    if not isinstance(value, Mapping):
        raise RowFault(_("expected a trigger as [start, end]; got {got}").format(got=shown(value, SHOWN)))
    surface = first_of(value, OWN_SURFACES)
    surface = surface if isinstance(surface, str) else None
    span = first_of(value, SPANS)
    if isinstance(span, list | tuple) and len(span) == 2:
        return checked(text, whole_number(span[0]), whole_number(span[1]), label, surface)
    start, end = whole_number(first_of(value, OWN_STARTS)), first_of(value, ENDS)
    behind = start + len(surface) if end is None and surface is not None else whole_number(end)
    return checked(text, start, behind, label, surface)
