"""Steps as they are written on the command line: `onnx`, `sparsify:share=0.3`, `a:x=1,y=[2, 3]`. Torch-free.

Every mistake is found before any weights are opened: names, options, whether each step can work on what the one before
it writes, and what each step's options say of the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from weitiao.compression import STEP_OPTIONS, StepOptions
from weitiao.compression.base import Form, form_of
from weitiao.errors import Problem, refuse_if_errors
from weitiao.messages import _
from weitiao.recipe.sentences import findings
from weitiao.recipe.source import plain
from weitiao.tables import did_you_mean

COMMAS = re.compile(r",(?![^\[\]]*\])")  # those outside of lists


@dataclass(frozen=True, slots=True)
class Chosen:
    """A step that was asked for.

    Args:
        word: as it was written.
        name: of the step.
        options: what it may be told, checked.
    """

    word: str
    name: str
    options: StepOptions


def read_steps(words: Sequence[str]) -> list[Chosen]:
    """The steps that `words` ask for.

    Raises:
        ProblemsFound: with every mistake in them.
    """
    steps, problems = understood(words)
    refuse_if_errors(problems)
    return steps


def understood(words: Sequence[str]) -> tuple[list[Chosen], list[Problem]]:
    """The steps among `words`, and what is wrong with the others."""
    if not words:
        message = _("no step is named; expected one or more of: {names}").format(names=", ".join(STEP_OPTIONS))
        return [], [Problem("missing-step", message)]
    steps: list[Chosen] = []
    problems: list[Problem] = []
    for word in words:
        name, _colon, tail = word.partition(":")
        if name not in STEP_OPTIONS:
            message = _("unknown step '{name}'; expected one of: {names}{hint}").format(
                name=name, names=", ".join(STEP_OPTIONS), hint=did_you_mean(name, STEP_OPTIONS)
            )
            problems.append(Problem("unknown-step", message))
            continue
        given, found = _values(word, tail)
        try:
            steps.append(Chosen(word, name, STEP_OPTIONS[name].model_validate(given)))
        except ValidationError as error:
            wrong = findings(error, STEP_OPTIONS[name], (name,))
            found += [Problem(each.code, each.message) for each in wrong]
        problems += found
    return steps, problems


def _values(word: str, tail: str) -> tuple[dict[str, Any], list[Problem]]:
    """`key=value,key=value` as a mapping; values are read as in a recipe."""
    given: dict[str, Any] = {}
    problems = []
    for part in COMMAS.split(tail) if tail else []:
        key, equals, value = (each.strip() for each in part.partition("="))
        try:
            read = plain(YAML().load(value)) if value else None
        except YAMLError:
            read, equals = None, ""
        if not equals or read is None or key in given:
            message = _("'{word}': '{part}' is not an option; expected NAME:KEY=VALUE,KEY=VALUE, each key once")
            problems.append(Problem("bad-option", message.format(word=word, part=part)))
        else:
            given[key] = read
    return given, problems


def misfits(steps: Sequence[Chosen], card: Mapping[str, Any], folder: Path, *, whole: bool = True) -> Iterator[Problem]:
    """What stands in the way of these steps on this model.

    Args:
        card: task.json of the model.
        folder: its `model/`.
        whole: whether no step between them is missing, so that each can be held against the one before it.
    """
    form, before = form_of(folder), ""
    for step in steps:
        if whole and form not in step.options.takes:
            yield Problem("step-order", _unfit_form(step, form, before))
        for finding in step.options.misfits(card, folder):
            keys = ".".join((step.name, *finding.keys))
            yield Problem(finding.code, f"{keys}: {finding.message}")
        form, before = step.options.gives, step.name


def _unfit_form(step: Chosen, form: Form, before: str) -> str:
    """That a step cannot work on what it is given, and by whom."""
    wanted = _(" or ").join(sorted(step.options.takes))
    if before:
        message = _("{step}: works on a model in {wanted}, but {before} leaves one in {form}; put it before {before}")
        return message.format(step=step.name, wanted=wanted, before=before, form=form)
    if "onnx" in step.options.takes:
        return _("{step}: works on a model in {wanted}; put the step onnx before it").format(
            step=step.name, wanted=wanted
        )
    message = _("{step}: works on a model in {wanted}, but this one is in {form}; start from the run it was made of")
    return message.format(step=step.name, wanted=wanted, form=form)
