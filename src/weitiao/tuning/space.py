"""A space of recipes: which values each key may take, and what is searched under which choice.

A `Space` draws from whoever answers its questions (an Optuna trial, or values that are given) and tells the changes to
the recipe; it can also name its combinations. Parameters are named by their key, under a choice `method=lora.rank`.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Protocol

from weitiao.recipe.source import SHORT_FORMS

Keys = tuple[str, ...]
Place = int | str  # a line of the space's file, or the name of what is no file
TAIL = 1e-4  # of a normal distribution that is not drawn from, on each side


class Ask(Protocol):
    """Who answers for the parameters: an Optuna trial, or `Given`."""

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int: ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Given:
    """Answers with values that are known."""

    values: Mapping[str, Any]

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float:  # noqa: ARG002
        return float(self.values[name])

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:  # noqa: ARG002
        return int(self.values[name])

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:  # noqa: ARG002
        return self.values[name]


@dataclass(frozen=True, slots=True)
class Change:
    """A key of the recipe, its value, and where the space says so."""

    keys: Keys
    value: Any
    place: Place = 0


@dataclass(frozen=True, slots=True)
class Number:
    """A range of numbers.

    Args:
        log: drawn evenly on a logarithmic scale.
        step: between the values, counted from `low`.
        whole: whole numbers.
        quantum: the value is rounded to a multiple of it, and clipped to the range (NNI's `q`).
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False
    quantum: float | None = None

    def drawn(self, ask: Ask, name: str) -> float:
        if self.whole:
            return ask.suggest_int(name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return ask.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def value(self, drawn: float) -> float:
        return drawn if self.quantum is None else _rounded(drawn, self.quantum, self.low, self.high)

    def ends(self) -> list[float]:
        return [self.low, self.high]

    def steps(self) -> Sequence[float] | None:
        """Every value; None where there is no end to them."""
        if self.whole:
            return range(int(self.low), int(self.high) + 1, int(self.step or 1))
        if self.step is not None:
            return [self.low + count * self.step for count in range(_fits(self.high - self.low, self.step) + 1)]
        if self.quantum is not None:
            first, last = math.floor(self.low / self.quantum), math.ceil(self.high / self.quantum)
            return list(dict.fromkeys(self.value(count * self.quantum) for count in range(first, last + 1)))
        return None

    def size(self) -> int | None:
        """How many values may be drawn, counted without listing them; None where there is no end to them."""
        if self.whole:
            return int(self.high - self.low) // int(self.step or 1) + 1
        if self.step is not None:
            return _fits(self.high - self.low, self.step) + 1
        if self.quantum is not None:
            return round(self.high / self.quantum) - round(self.low / self.quantum) + 1
        return None


@dataclass(frozen=True, slots=True)
class Normal:
    """A normal distribution, drawn by its quantile; `log`: of the logarithm; `quantum`: as in `Number`."""

    mean: float
    deviation: float
    log: bool = False
    quantum: float | None = None

    def drawn(self, ask: Ask, name: str) -> float:
        return ask.suggest_float(name, TAIL, 1 - TAIL, step=None, log=False)

    def value(self, drawn: float) -> float:
        value = NormalDist(self.mean, self.deviation).inv_cdf(drawn)
        value = math.exp(value) if self.log else value
        return value if self.quantum is None else _rounded(value, self.quantum, -math.inf, math.inf)

    def ends(self) -> list[float]:
        return [0.5, TAIL, 1 - TAIL]

    def steps(self) -> Sequence[float] | None:
        return None

    def size(self) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class Option:
    """One of several choices: the changes it makes, and what is searched only under it."""

    label: Any
    changes: Sequence[Change]
    inner: Sequence[Dimension] = ()


@dataclass(frozen=True, slots=True)
class Choices:
    """A list of choices."""

    options: Sequence[Option]

    def drawn(self, ask: Ask, name: str) -> Option:
        label = ask.suggest_categorical(name, [each.label for each in self.options])
        return next(each for each in self.options if each.label == label)

    def size(self) -> int | None:
        sizes = [_size(each.inner) for each in self.options]
        return None if None in sizes else sum(filter(None, sizes))


@dataclass(frozen=True, slots=True)
class Dimension:
    """A parameter of the search.

    Args:
        name: of the parameter.
        keys: of the recipe's value.
    """

    name: str
    keys: Keys
    domain: Number | Normal | Choices
    place: Place = 0

    def draw(self, ask: Ask) -> Iterator[Change]:
        """The changes that the answers make."""
        if isinstance(self.domain, Choices):
            option = self.domain.drawn(ask, self.name)
            yield from option.changes
            for each in option.inner:
                yield from each.draw(ask)
        else:
            yield Change(self.keys, self.domain.value(self.domain.drawn(ask, self.name)), self.place)

    def touched(self) -> Iterator[Change]:
        """What it changes by itself, whatever is drawn."""
        if isinstance(self.domain, Choices):
            yield from (change for option in self.domain.options for change in option.changes)
        else:
            yield Change(self.keys, None, self.place)

    def all(self) -> Iterator[Dimension]:
        """This one and those under its choices."""
        yield self
        if isinstance(self.domain, Choices):
            for option in self.domain.options:
                for each in option.inner:
                    yield from each.all()


Values = Callable[[Number | Normal], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Space:
    """What is searched, and what stands for all trials."""

    dimensions: Sequence[Dimension] = ()
    constants: Sequence[Change] = field(default=())

    def draw(self, ask: Ask) -> list[Change]:
        """The changes of one trial; sections come before what is laid over them."""
        drawn = [change for each in self.dimensions for change in each.draw(ask)]
        return sorted([*self.constants, *drawn], key=lambda change: len(change.keys))

    def all(self) -> list[Dimension]:
        """Every dimension, also those under choices."""
        return [each for dimension in self.dimensions for each in dimension.all()]

    def touched(self) -> list[Change]:
        """Every change that some trial makes, those of ranges without their value."""
        return [*self.constants, *(change for each in self.all() for change in each.touched())]

    def combinations(self, values: Values) -> Iterator[dict[str, Any]]:
        """Parameters of every combination, where numbers take these values."""
        return _combinations(self.dimensions, values)

    def count(self, values: Values) -> int:
        """How many there are."""
        return _count(self.dimensions, values)

    def size(self) -> int | None:
        """How many may be drawn; None where there is no end to them."""
        return _size(self.dimensions)

    def endless(self) -> list[Dimension]:
        """Numbers that no grid can run through, for they have no steps."""
        return [each for each in self.all() if not isinstance(each.domain, Choices) and each.domain.steps() is None]


def laid_over(tree: Mapping[str, Any], changes: Iterable[Change]) -> dict[str, Any]:
    """A recipe's mapping with the changes made."""
    changed = copy.deepcopy(dict(tree))
    for change in changes:
        node = changed
        for key in change.keys[:-1]:
            node = _section_of(node, key)
        node[change.keys[-1]] = copy.deepcopy(change.value)
    return changed


def _section_of(node: dict[str, Any], key: str) -> dict[str, Any]:
    """What stands under a key, as a mapping: `method: head` is `method: {name: head}`."""
    inner = node.get(key)
    if not isinstance(inner, dict):
        inner = {} if inner is None else {SHORT_FORMS.get(key, "name"): inner}
        node[key] = inner
    return inner


def shown_changes(changes: Iterable[Change]) -> dict[str, Any]:
    """The changes as a recipe's keys and values; a section that was chosen by name as that name."""
    return {".".join(each.keys): each.value["name"] if _is_choice(each.value) else each.value for each in changes}


def _is_choice(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"name"}


def label_of(value: Any) -> Any:
    """What a choice is called: a scalar as it is, else its name, else its JSON."""
    if isinstance(value, Mapping):
        name = value.get("name", value.get("_name"))
        return name if isinstance(name, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def _combinations(dimensions: Sequence[Dimension], values: Values) -> Iterator[dict[str, Any]]:
    variants = [list(_variants(each, values)) for each in dimensions]
    for parts in itertools.product(*variants):
        yield {name: value for part in parts for name, value in part.items()}


def _variants(dimension: Dimension, values: Values) -> Iterator[dict[str, Any]]:
    if not isinstance(dimension.domain, Choices):
        yield from ({dimension.name: value} for value in values(dimension.domain))
        return
    for option in dimension.domain.options:
        for inner in _combinations(option.inner, values):
            yield {dimension.name: option.label, **inner}


def _count(dimensions: Sequence[Dimension], values: Values) -> int:
    return math.prod(_count_of(each, values) for each in dimensions)


def _count_of(dimension: Dimension, values: Values) -> int:
    if isinstance(dimension.domain, Choices):
        return sum(_count(option.inner, values) for option in dimension.domain.options)
    return len(values(dimension.domain))


def _size(dimensions: Sequence[Dimension]) -> int | None:
    sizes = [each.domain.size() for each in dimensions]
    return None if None in sizes else math.prod(filter(None, sizes))


def _rounded(value: float, quantum: float, low: float, high: float) -> float:
    """A multiple of `quantum`, clipped; whole where the quantum and the ends are."""
    near = min(max(round(round(value / quantum) * quantum, 12), low), high)
    return int(near) if float(quantum).is_integer() and float(near).is_integer() else near


def _fits(width: float, step: float) -> int:
    return math.floor(width / step + 1e-9)
