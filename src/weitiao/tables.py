"""Lazy tables: name -> object, imported when first asked for.

Each folder of variants (tasks, methods, readers, heads) keeps one `Table` in its `__init__`; `weitiao list`, the docs
and the recipe schema are made from them. Other packages add entries through entry points of the group named
`weitiao.<kind>s`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from typing import Any

from weitiao.errors import Refused
from weitiao.messages import _


class Table(Mapping[str, Any]):
    """A mapping from a name to an object that is imported on first use.

    Args:
        kind: what the entries are, in the singular, such as 'task'.
        entries: name -> 'package.module:attribute'.
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._own = dict(entries)

    @cached_property
    def _entries(self) -> dict[str, str]:
        from importlib.metadata import entry_points  # at use: half of what an import of this package would cost

        outside = {point.name: point.value for point in entry_points(group=f"weitiao.{self.kind}s")}
        return {**outside, **self._own}

    def __getitem__(self, name: str) -> Any:
        if name not in self._entries:
            raise Refused(
                _("unknown {kind} '{name}'; expected one of: {names}{hint}").format(
                    kind=self.kind, name=name, names=", ".join(self), hint=did_you_mean(name, self)
                )
            )
        module, _colon, attribute = self._entries[name].partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            if name in self._own:
                raise
            raise Refused(
                _("the {kind} '{name}' of another package cannot be loaded from {place} ({reason})").format(
                    kind=self.kind, name=name, place=self._entries[name], reason=error
                )
            ) from error

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, whatever the case, or the only one that it begins; None when none is close.

    Not one that is much longer or shorter: 'ner' is a part of 'answer', and not a slip of it.
    """
    by_folded = {each.casefold(): each for each in known}
    folded = name.casefold()
    alike = [each for each in by_folded if abs(len(each) - len(folded)) <= max(2, len(folded) // 2)]
    found = difflib.get_close_matches(folded, alike, n=1, cutoff=0.6)
    if not found and len(folded) > 1:
        begun = [each for each in by_folded if each.startswith(folded)]
        found = begun if len(begun) == 1 else []
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing when no known name is close."""
    guess = closest(name, known)
    return _("; did you mean '{guess}'?").format(guess=guess) if guess else ""
