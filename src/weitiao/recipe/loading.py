"""From a source to a validated recipe, with every mistake at once.

A recipe with mistakes still gives a `Draft`: what was wrong is mended by the nearest known name or the default, so that
`check` can go on to look at the files and the model that the recipe names. Only a draft without problems is a recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from weitiao.errors import Problem, ProblemsFound
from weitiao.messages import _
from weitiao.recipe.ready import ready_recipes
from weitiao.recipe.sentences import Finding, findings, kind_of
from weitiao.recipe.source import SHORT_FORMS, Keys, Places, read_source
from weitiao.recipe.specs import Choice, Recipe
from weitiao.tables import closest, did_you_mean

EMPTY_SECTIONS = ("training", "evaluation", "report", "tracking")  # `training:` with nothing under it is `training: {}`
PLACEHOLDERS: Mapping[str, Mapping[str, Any]] = {"model": {"name": ""}, "data": {"file": ""}}


@dataclass(frozen=True, slots=True)
class Frame:
    """What loading needs to know of tasks, methods and objectives.

    Args:
        options: kind -> name -> options model; a kind is the key of a choice, with dots where it stands in a section.
        defaults: kind -> name that is taken where the recipe has none.
        check: findings about how the sections of a valid recipe fit together.
    """

    options: Mapping[str, Mapping[str, type[BaseModel]]]
    defaults: Mapping[str, str]
    check: Callable[[Recipe], Iterable[Finding]] = lambda recipe: ()  # noqa: ARG005


@dataclass(frozen=True, slots=True)
class Draft:
    """A recipe as far as it could be understood.

    Args:
        recipe: mended where it was wrong.
        problems: everything that was wrong; empty for a good recipe.
        places: where each key was written.
        doubtful: keys whose meaning was lost, so that what follows from their defaults proves nothing.
    """

    recipe: Recipe
    problems: Sequence[Problem]
    places: Places
    doubtful: frozenset[Keys] = field(default_factory=frozenset)


def load_recipe(source: Path | str | Mapping[str, Any], frame: Frame, overrides: Sequence[str] = ()) -> Recipe:
    """Read, override and validate a recipe.

    Args:
        source: a YAML file, or the same as a mapping.
        frame: the options models of tasks, methods and objectives.
        overrides: dotted `key=value` pairs; the value is read as YAML.

    Raises:
        ProblemsFound: with every mistake, each with file and line.
    """
    draft = load_draft(source, frame, overrides)
    if draft.problems:
        raise ProblemsFound(draft.problems)
    return draft.recipe


def load_draft(
    source: Path | str | Mapping[str, Any],
    frame: Frame,
    overrides: Sequence[str] = (),
    places: Places | None = None,
) -> Draft:
    """The same, for a caller that goes on after mistakes.

    Args:
        places: where the keys of a mapping were written, where it was put together from files.

    Raises:
        ProblemsFound: the source is no YAML mapping at all, or only the name of a ready recipe, so that there is
        nothing to go on with.
    """
    _refuse_ready(source)
    raw, written = read_source(source, overrides)
    places = places or written
    tree = _long_forms(raw, frame)
    recipe, found = _validated(tree, frame)
    wrong = {finding.keys for finding in found}
    found += [finding for finding in frame.check(recipe) if finding.keys not in wrong]
    problems = [places.problem(finding.code, finding.keys, finding.message) for finding in found]
    return Draft(
        recipe,
        sorted(problems, key=lambda problem: (problem.file, problem.line)),
        places,
        frozenset(finding.keys for finding in found if not finding.guess),
    )


def _refuse_ready(source: Path | str | Mapping[str, Any]) -> None:
    """A ready recipe has a name, and is no file yet."""
    name = "" if isinstance(source, Mapping) else str(source).removesuffix(".yaml")
    if name in ready_recipes() and not Path(str(source)).exists():
        message = _("no such file, but '{name}' is a ready recipe; write it to a file with: weitiao new {name} FILE")
        raise ProblemsFound([Problem("ready-recipe", message.format(name=name), file=str(source))])


def _long_forms(raw: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
    """`data: FILE` as `data: {file: FILE}` and the like, with the default task and method filled in."""
    tree = dict(raw)
    for key, short in SHORT_FORMS.items():
        value = tree.get(key, frame.defaults.get(key))
        if isinstance(value, str) or (key == "data" and isinstance(value, list)):
            value = {short: value}
        if value is None:
            tree.pop(key, None)
        else:
            tree[key] = value
    tree = {key: {} if value is None and key in EMPTY_SECTIONS else value for key, value in tree.items()}
    for section, key in _nested(frame):
        inner = tree.get(section)
        if isinstance(inner, dict) and isinstance(inner.get(key), str):
            tree[section] = {**inner, key: {"name": inner[key]}}
    return tree


def _nested(frame: Frame) -> Iterator[tuple[str, str]]:
    """(section, key) of the choices that stand in a section."""
    for kind in frame.options:
        section, dot, key = kind.partition(".")
        if dot:
            yield section, key


def _validated(tree: dict[str, Any], frame: Frame) -> tuple[Recipe, list[Finding]]:
    """The recipe, mended if need be, and what was wrong with it as it was written."""
    found: list[Finding] = []
    for kind, table in frame.options.items():
        *section, key = kind.split(".")
        node: Any = tree.get(section[0]) if section else tree
        if isinstance(node, dict) and node.get(key) is not None:
            node[key], mistakes = _choice(kind, node[key], table, frame.defaults.get(kind) or min(table))
            found += mistakes
    first = True
    while True:
        try:
            return Recipe.model_validate(tree), found
        except ValidationError as error:
            mistakes = _without_consequences(findings(error, Recipe))
        for mistake in mistakes:  # what mending brings to light later is no mistake of the user's, and goes whole
            _mend(tree, mistake if first else replace(mistake, keys=mistake.keys[:1]), frame)
        found += mistakes if first else []
        first = False


def _choice(kind: str, value: Any, table: Mapping[str, type[BaseModel]], default: str) -> tuple[Choice, list[Finding]]:
    """Validate `{name: ..., options}` against the options model that the table names."""
    keys = tuple(kind.split("."))
    spare = Choice(name=default, options=table[default]())
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        nameless = isinstance(value, dict) and "name" not in value
        got = _("a mapping without it") if nameless else kind_of(value["name"] if isinstance(value, dict) else value)
        message = _("`{key}` must be a name, or a mapping with `name`; got {got}").format(key=kind, got=got)
        return spare, [Finding("bad-value", keys, message)]
    name = value["name"]
    if name not in table:
        message = _("unknown {kind} '{name}'; expected one of: {names}{hint}").format(
            kind=keys[-1], name=name, names=", ".join(sorted(table)), hint=did_you_mean(name, list(table))
        )
        guess = closest(name, list(table))
        rest = _by_default(guess, table, spare) if guess else spare
        return rest, [Finding(f"unknown-{keys[-1]}", (*keys, "name"), message, guess or "")]
    options = {key: each for key, each in value.items() if key != "name"}
    try:
        return Choice(name=name, options=table[name].model_validate(options)), []
    except ValidationError as error:
        mistakes = findings(error, table[name], keys)
    for mistake in mistakes:
        _mend({"options": options}, replace(mistake, keys=("options", *mistake.keys[len(keys) :])), None)
    try:
        return Choice(name=name, options=table[name].model_validate(options)), mistakes
    except ValidationError:
        return _by_default(name, table, spare), mistakes


def _by_default(name: str, table: Mapping[str, type[BaseModel]], spare: Choice) -> Choice:
    """The choice with its defaults; the spare one where it has none for every option."""
    try:
        return Choice(name=name, options=table[name]())
    except ValidationError:
        return spare


def _without_consequences(mistakes: list[Finding]) -> list[Finding]:
    """Without the keys that are missing only because they are misspelt."""
    meant = {(*mistake.keys[:-1], mistake.guess) for mistake in mistakes if mistake.guess}
    return [mistake for mistake in mistakes if mistake.code != "missing-key" or mistake.keys not in meant]


def _mend(tree: dict[str, Any], mistake: Finding, frame: Frame | None) -> None:
    """Take the mistaken key away: renamed to the known one it resembles, else left to its default."""
    *parents, last = mistake.keys
    if not parents or (mistake.code == "missing-key" and parents[0] in PLACEHOLDERS):
        _fill(tree, mistake, frame)
        return
    node: Any = tree
    for parent in parents:
        inner = node.get(parent)
        if not isinstance(inner, dict):  # the mistake is in a list: its whole key goes
            node.pop(parent, None)
            return
        node = inner
    value = node.pop(last, None)
    if mistake.guess:
        node.setdefault(mistake.guess, value)


def _fill(tree: dict[str, Any], mistake: Finding, frame: Frame | None) -> None:
    """The section under its right name, else as if the recipe did not have it."""
    key = mistake.keys[0]
    value = tree.pop(key, None)
    if mistake.guess:
        tree.setdefault(mistake.guess, value)
    elif frame is not None and key in frame.options:
        name = frame.defaults.get(key) or min(frame.options[key])
        tree[key] = Choice(name=name, options=frame.options[key][name]())
    elif key in PLACEHOLDERS:
        tree[key] = dict(PLACEHOLDERS[key])
