"""Ranges as they are written: `{low, high, log, step, int}`, and NNI's `{_type, _value}`, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weitiao.messages import _
from weitiao.recipe.sentences import shown
from weitiao.tables import did_you_mean
from weitiao.tuning.space import Normal, Number

KEYS = ("low", "high", "log", "step", "int")
NNI: Mapping[str, int] = {  # type -> how many numbers; https://nni.readthedocs.io/en/stable/hpo/search_space.html
    "randint": 2, "uniform": 2, "quniform": 3, "loguniform": 2, "qloguniform": 3,
    "normal": 2, "qnormal": 3, "lognormal": 2, "qlognormal": 3,
}  # fmt: skip
CHOICE = "choice"


class Mistake(Exception):
    """What is wrong with a range or a list of choices; `{key}` stands for its key."""


def is_range(node: Mapping[str, Any]) -> bool:
    """Whether a mapping is a range, and no section of the recipe."""
    return "_type" in node or "low" in node or "high" in node


def read_range(node: Mapping[str, Any]) -> Number | Normal:
    """The range that a mapping writes.

    Raises:
        Mistake: it is none.
    """
    return _nni(node) if "_type" in node else _own(node)


def _own(node: Mapping[str, Any]) -> Number:
    for key in node:
        if key not in KEYS:
            message = _("`{key}`: unknown key '{name}' in a range; expected one of: {names}{hint}")
            raise _mistake(message, name=key, names=", ".join(KEYS), hint=did_you_mean(key, KEYS))
    for key in ("log", "int"):
        if not isinstance(node.get(key, False), bool):
            raise _mistake(_("`{key}`: `{name}` is true or false; got {got}"), name=key, got=shown(node[key]))
    numbers = [node.get("low"), node.get("high"), *([node["step"]] if "step" in node else [])]
    if not all(map(_is_number, numbers)):
        raise _mistake(
            _("`{key}`: a range is made of numbers, with `low` and `high`; got {got}"), got=shown(dict(node))
        )
    low, high = node["low"], node["high"]
    return _checked(Number(low, high, node.get("log", False), node.get("step"), node.get("int", False)))


def _checked(number: Number) -> Number:
    if number.low > number.high:
        raise _mistake(_("`{key}`: low {low} is above high {high}"), low=number.low, high=number.high)
    if number.log and number.low <= 0:
        raise _mistake(_("`{key}`: a logarithmic range begins above 0; got {low}"), low=number.low)
    if number.step is not None and number.log:
        raise _mistake(_("`{key}`: a range has `step` or `log`, not both; remove one"))
    if any(step is not None and step <= 0 for step in (number.step, number.quantum)):
        raise _mistake(_("`{key}`: the step of a range is above 0"))
    if number.whole and not all(float(each).is_integer() for each in (number.low, number.high, number.step or 1)):
        raise _mistake(_("`{key}`: a range with `int: true` has whole numbers"))
    return number


def _nni(node: Mapping[str, Any]) -> Number | Normal:
    kind, values = str(node["_type"]), node.get("_value")
    names = (CHOICE, *NNI)
    if kind not in names:
        message = _("`{key}`: unknown _type '{kind}'; expected one of: {names}{hint}")
        raise _mistake(message, kind=kind, names=", ".join(names), hint=did_you_mean(kind, names))
    count = NNI.get(kind)
    if count is None:
        raise _mistake(_("`{key}`: `_value` of a choice is a list; got {got}"), got=shown(values))
    if not isinstance(values, list) or len(values) != count or not all(map(_is_number, values)):
        message = _("`{key}`: `_value` of {kind} is a list of {count} numbers; got {got}")
        raise _mistake(message, kind=kind, count=count, got=shown(values))
    return _normal(kind, values) if "normal" in kind else _even(kind, values)


def _even(kind: str, values: Sequence[Any]) -> Number:
    low, high = values[:2]
    if kind == "randint":
        return _randint(low, high)
    return _checked(Number(low, high, "log" in kind, quantum=values[2] if len(values) > 2 else None))


def _randint(low: float, end: float) -> Number:
    if not (float(low).is_integer() and float(end).is_integer()):
        raise _mistake(_("`{key}`: randint is made of whole numbers; got {got}"), got=shown([low, end]))
    if low >= end:
        message = _("`{key}`: randint [{low}, {end}] holds no number, for its end is not in it; give a higher end")
        raise _mistake(message, low=low, end=end)
    return Number(low, end - 1, whole=True)


def _normal(kind: str, values: Sequence[Any]) -> Normal:
    quantum = values[2] if len(values) > 2 else None
    if values[1] <= 0 or (quantum is not None and quantum <= 0):
        raise _mistake(_("`{key}`: the deviation and the step of {kind} are above 0"), kind=kind)
    return Normal(values[0], values[1], "log" in kind, quantum)


def _mistake(message: str, **values: Any) -> Mistake:
    return Mistake(message.format(key="{key}", **values))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
