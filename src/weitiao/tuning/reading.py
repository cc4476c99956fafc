"""A space as it is written (YAML, JSON, NNI's search space, `key=value`) into a `Space`, with every mistake at once.

    training.learning_rate: {low: 1e-5, high: 1e-3, log: true}    a range; also step, int
    training.batch_size: [16, 32]                                 a list of choices
    method:                                                       choices with a search of their own
      - {name: freeze, layers: [2, 4]}
      - head

A choice that has a `name` takes the section's place; one without is laid over it. A value that is itself a list is
written as a choice: `training.betas: [[0.9, 0.98]]`. Whether the keys are a recipe's, the recipe's loading says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weitiao.errors import Problem, ProblemsFound
from weitiao.messages import _, system_reason
from weitiao.recipe.sentences import kind_of
from weitiao.recipe.source import TABLES, Places, command_line, lines_of, parsed, plain
from weitiao.tuning.ranges import CHOICE, Mistake, is_range, read_range
from weitiao.tuning.space import Change, Choices, Dimension, Keys, Normal, Number, Option, Place, Space, label_of

NAMED = (("method",), ("training", "objective"))  # sections whose options depend on their name


@dataclass(frozen=True, slots=True)
class Written:
    """A space before it is understood; goes into the study as it is.

    Args:
        file: that it was read from; empty where it was none.
        tree: plain values.
        lines: where the keys were written, by their path joined with newlines.
    """

    file: str
    tree: Mapping[str, Any]
    lines: Mapping[str, Place] = field(default_factory=dict)

    def place(self, path: Keys) -> Place:
        """The line of the innermost key on the path that has one."""
        for length in range(len(path), 0, -1):
            if place := self.lines.get("\n".join(path[:length])):
                return place
        return 0

    def places(self, changes: Iterable[Change]) -> Places:
        """Where the keys of a recipe that these changes make were written."""
        return Places(self.file or _("space"), {change.keys: change.place for change in changes if change.place})

    def problem(self, code: str, path: Keys, message: str) -> Problem:
        """A problem at a key of the space."""
        return Places(self.file or _("space"), {path: place} if (place := self.place(path)) else {}).problem(
            code, path, message
        )


def read_space(space: Mapping[str, Any] | Path | str | Sequence[Path | str]) -> Written:
    """A mapping, a file, or a list of at most one file and of `key=value`.

    Raises:
        ProblemsFound: the file cannot be read, or what is given is no space.
    """
    if isinstance(space, Mapping):
        return Written("", plain(space))
    words = [space] if isinstance(space, Path | str) else list(space)
    files = [word for word in words if isinstance(word, Path) or "=" not in word]
    if len(files) > 1:
        message = _("a space has one file, and there are {count}: {files}; put them together")
        raise _found(message.format(count=len(files), files=", ".join(map(str, files))), "")
    written = _file(Path(files[0])) if files else Written("", {})
    given = dict(_given(str(word)) for word in words if word not in files)
    lines = {key: command_line() for key in given}
    for key in given:
        written = Written(written.file, _without(written.tree, tuple(key.split("."))), written.lines)
    kept = {key: line for key, line in written.lines.items() if key.split("\n")[0] not in given}
    return Written(written.file, {**written.tree, **given}, {**kept, **lines})


def _without(tree: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """A section without what it says of a key of the recipe, however dotted or nested."""
    kept = {}
    for name, node in tree.items():
        parts = tuple(name.split("."))
        if parts[: len(keys)] == keys:
            continue
        under = parts == keys[: len(parts)] and isinstance(node, Mapping) and not is_range(node)
        kept[name] = _without(node, keys[len(parts) :]) if under else node
    return kept


def parse_space(written: Written) -> Space:
    """The space, understood.

    Raises:
        ProblemsFound: every mistake in ranges and choices.
    """
    parser = _Parser(written)
    space = parser.space()
    if parser.problems:
        raise ProblemsFound(parser.problems)
    return space


def nothing_to_search(written: Written, space: Space) -> list[Problem]:
    """A space of nothing but single values; not told before their keys are known to be a recipe's."""
    if space.dimensions:
        return []
    message = _("nothing to search: expected a list of choices or a range {low, high} for at least one key")
    return [Problem("bad-space", message, file=written.file)]


def _found(message: str, file: str, line: int = 0) -> ProblemsFound:
    return ProblemsFound([Problem("bad-space", message, file=file, line=line)])


def _file(path: Path) -> Written:
    if path.suffix.lower() in TABLES and path.is_file():
        message = _("looks like data, where a space is expected: a YAML or JSON file, or key=value")
        raise _found(message, str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = _("the space cannot be read ({reason}); expected a YAML or JSON file, or key=value")
        raise _found(message.format(reason=system_reason(error)), str(path)) from error
    except UnicodeDecodeError as error:
        message = _("the space is not UTF-8 (byte {byte}); save it as UTF-8").format(byte=error.start + 1)
        raise _found(message, str(path)) from error
    tree = _json(text, str(path)) if path.suffix.lower() == ".json" else parsed(text, str(path))
    if not isinstance(tree, Mapping):
        message = _("a space is a mapping of a recipe's keys such as `training.learning_rate:`; got {got}")
        raise _found(message.format(got=kind_of(plain(tree))), str(path), 1)
    lines: dict[str, Place] = {"\n".join(keys): line for keys, line in lines_of(tree)}
    return Written(str(path), plain(tree), lines)


def _json(text: str, file: str) -> Any:
    """JSON, read by the parser of YAML, which knows lines."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        message = _("not valid JSON at column {column}; see to the quotes, commas and brackets before it")
        raise _found(message.format(column=error.colno), file, error.lineno) from error
    return parsed(text.expandtabs(2), file)  # JSON may be indented with tabs


def _given(word: str) -> tuple[str, Any]:
    key, _equals, text = word.partition("=")
    return key, plain(parsed(text, command_line()))


class _Parser:
    """One call of `parse_space`. A path is where in the space something stands; keys are the recipe's."""

    def __init__(self, written: Written) -> None:
        self.written = written
        self.problems: list[Problem] = []

    def space(self) -> Space:
        dimensions, constants = self._section(self.written.tree, (), (), "")
        twice = [each for index, each in enumerate(dimensions) if each.keys in {d.keys for d in dimensions[:index]}]
        for each in twice:
            message = _("`{key}` is given twice; keep one of them").format(key=".".join(each.keys))
            self.problems.append(Problem("bad-space", message, file=self.written.file))
        changed: list[Dimension | Change] = [*dimensions, *constants]
        for named in changed:
            if named.keys[:-1] in NAMED and named.keys[-1] == "name":
                self._by_name_alone(named)
        return Space(tuple(dimensions), tuple(constants))

    def _by_name_alone(self, named: Dimension | Change) -> None:
        """Another name over the options of the recipe's own would be a mixture of two methods."""
        if isinstance(named, Change):
            self._as_list(named.keys[:-1], [named.value], named.place)
        elif isinstance(named.domain, Choices):
            self._as_list(named.keys[:-1], [each.label for each in named.domain.options], named.place)

    def _as_list(self, keys: Keys, alternatives: Sequence[Any], place: Place) -> None:
        key = ".".join(keys)
        example = f"{key}{'=' if isinstance(place, str) else ': '}{_flow(list(alternatives))}"
        message = _("the alternatives of `{key}` are written as a list: `{example}`").format(key=key, example=example)
        file = self.written.file or _("space")
        places = Places(file, {keys: place} if place else {})
        self.problems.append(places.problem("bad-space", keys, message))

    def _section(
        self, tree: Mapping[str, Any], path: Keys, keys: Keys, name: str
    ) -> tuple[list[Dimension], list[Change]]:
        dimensions: list[Dimension] = []
        constants: list[Change] = []
        for key, node in tree.items():
            parts = tuple(key.split("."))
            inner = self._node(node, (*path, key), (*keys, *parts), f"{name}.{key}" if name else key)
            dimensions += inner[0]
            constants += inner[1]
        return dimensions, constants

    def _node(self, node: Any, path: Keys, keys: Keys, name: str) -> tuple[list[Dimension], list[Change]]:
        """(dimensions, constants) of a value: a section, a range, choices, or what stands for all trials."""
        place = self.written.place(path)
        if isinstance(node, Mapping) and not is_range(node):
            if keys in NAMED and node.keys() & {"name", "_name"}:
                self._as_list(keys, [node], place)
                return [], []
            return self._section(node, path, keys, name)
        if not isinstance(node, Mapping | list):
            return [], [Change(keys, node, place)]
        try:
            domain = self._domain(node, path, keys, name)
        except Mistake as mistake:
            text = str(mistake).replace("{key}", _shown_path(path))
            self.problems.append(self.written.problem("bad-space", path, text))
            return [], []
        if isinstance(domain, Choices) and len(domain.options) == 1:
            return list(domain.options[0].inner), list(domain.options[0].changes)
        if isinstance(domain, Number) and domain.low == domain.high:
            return [], [Change(keys, domain.value(domain.low), place)]
        return [Dimension(name, keys, domain, place)], []

    def _domain(
        self, node: Mapping[str, Any] | list[Any], path: Keys, keys: Keys, name: str
    ) -> Number | Normal | Choices:
        if isinstance(node, list):
            return self._choices(node, path, keys, name)
        if node.get("_type") == CHOICE and isinstance(node.get("_value"), list):
            return self._choices(node["_value"], (*path, "_value"), keys, name)
        return read_range(node)

    def _choices(self, values: Sequence[Any], path: Keys, keys: Keys, name: str) -> Choices:
        if not values:
            raise Mistake(_("`{key}` has no choices; expected a list with at least one"))
        if any(not isinstance(value, Mapping) and values.count(value) > 1 for value in values):
            raise Mistake(_("`{key}` has a choice twice; keep one of them"))
        labels = [label_of(value) for value in values]
        if any(labels.count(label) > 1 for label in labels):
            labels = [f"{label}#{index}" for index, label in enumerate(labels, start=1)]
        return Choices(
            tuple(
                self._option(value, (*path, str(index)), keys, label, f"{name}={label}")
                for index, (value, label) in enumerate(zip(values, labels, strict=True))
            )
        )

    def _option(self, value: Any, path: Keys, keys: Keys, label: Any, name: str) -> Option:
        place = self.written.place(path)
        if not isinstance(value, Mapping):
            return Option(label, (Change(keys, value, place),))
        tree = {"name" if key == "_name" else key: each for key, each in value.items()}
        dimensions, constants = self._section(tree, path, keys, name)
        named = [change for change in constants if change.keys == (*keys, "name")]
        whole = [Change(keys, {"name": change.value}, place) for change in named]
        return Option(label, (*whole, *(each for each in constants if each not in named)), tuple(dimensions))


def _flow(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    plainly = isinstance(value, str) and re.fullmatch(r"[A-Za-z_][\w-]*", value)
    return value if plainly else json.dumps(value, ensure_ascii=False)


def _shown_path(path: Keys) -> str:
    return ".".join(part for part in path if not part.isdigit() and part != "_value")
