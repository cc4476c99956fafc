"""The recipe: what the user wrote, validated whole.

YAML 1.2 or a mapping goes in, with dotted `key=value` overrides; a frozen `Recipe` comes out, or every mistake at once
with its line. The frame is here; each task and method names its own options model, and the tables that know them are
passed in, so that this file imports none of them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from weitiao.errors import Problem, ProblemsFound
from weitiao.messages import _
from weitiao.tables import did_you_mean

Source = str | list[str]
COMMAND_LINE = "command line"
SPLITS = ("train", "dev", "test")


class Options(BaseModel):
    """Base of every options model: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class Choice(Options):
    """An entry of a table and its options: `method: freeze` or `method: {name: freeze, layers: 4}`."""

    name: str
    options: SerializeAsAny[BaseModel]


class ModelSpec(Options):
    """The pretrained model and what is put on top of it."""

    name: str = Field(description="starter:NAME, ./folder, hf:owner/name or ms:owner/name")
    head: Literal["stock", "mean"] = Field(
        "stock", description="stock: the family's own class, loads in plain transformers; mean: mean pooling, loads through weitiao"
    )
    hidden_layers: tuple[Annotated[int, Field(gt=0)], ...] = Field((), description="widths of extra hidden layers in the mean head")
    reinit_layers: int = Field(0, ge=0, description="top layers of the backbone to initialise anew before training")
    dropout: float | None = Field(None, ge=0, lt=1, description="dropout rate everywhere; default: what the model's config says")
    revision: str | None = Field(None, description="hub revision (branch, tag or commit)")
    trust_remote_code: bool = Field(False, description="run code that comes with a hub model; never needed for folders of known families")


class DataSpec(Options):
    """Where the rows are and what their columns mean."""

    file: Source | None = Field(None, description="one source that holds every split (see `fields.split`, `splits`) or is split by shares")
    train: Source | None = Field(None, description="file, glob, list of them, or hub data set id (hf:owner/name)")
    dev: Source | None = Field("10%", description="a source, or a share of the training rows such as 10%")
    test: Source | None = Field(None, description="a source, or a share of the rows such as 10%")
    fields: dict[str, str | int] = Field(
        default_factory=dict, description="record field -> column name, or column number from 1; also `group` and `split`"
    )
    splits: dict[str, list[str]] = Field(
        default_factory=dict, description="split -> values of the split column (or keys of a JSON object) that belong to it"
    )
    format: str | None = Field(None, description="csv, tsv, json, jsonl, parquet or xlsx; default: told by content")
    encoding: str | None = Field(None, description="text encoding; default: told by content")
    delimiter: str | None = Field(None, description="column delimiter of text tables; default: sniffed")
    header: bool | None = Field(None, description="whether the first row names the columns; default: sniffed")
    sheet: str | None = Field(None, description="sheet of a workbook; default: the first")
    limit: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict, description="split -> rows to keep, a seeded sample")
    split_seed: int = Field(17, description="seed of shares and limits; apart from `seed`, so that several seeds see the same rows")
    max_dropped: float = Field(0.01, ge=0, le=1, description="share of faulty rows above which the run is refused")

    @model_validator(mode="after")
    def _one_origin(self) -> DataSpec:
        if (self.file is None) == (self.train is None):
            raise ValueError("give either `train` or `file`, and not both")
        return self

    @field_validator("splits", "limit")
    @classmethod
    def _known_splits(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name not in SPLITS:
                raise ValueError(f"'{name}' is not a split; expected train, dev or test")
        return value


class TrainingSpec(Options):
    """How the parameters are fitted."""

    epochs: float = Field(3, gt=0, description="passes over the training rows; a fraction is allowed")
    max_steps: int | None = Field(None, gt=0, description="stop after this many optimiser steps")
    max_minutes: float | None = Field(None, gt=0, description="stop after this much time, with an evaluation and a saved model")
    batch_size: int = Field(32, gt=0, description="rows an optimiser step")
    token_budget: int | None = Field(None, gt=0, description="tokens a micro-batch; only splits a step, never changes it")
    max_length: int | None = Field(None, gt=4, description="tokens a text; default: the model's limit, at most 512")
    order: Literal["grouped", "random", "given"] = Field("grouped", description="rows of a batch of like length, any, or as in the file")
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float | None = Field(None, gt=0, description="peak learning rate; default: the method's")
    head_learning_rate: float | None = Field(None, gt=0, description="peak learning rate of the new head; default: learning_rate")
    layer_decay: float = Field(1.0, gt=0, le=1, description="learning rate of each layer relative to the one above it")
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    epsilon: float = Field(1e-8, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd")
    weight_decay: float = Field(0.01, ge=0, description="decoupled for adamw; never on biases and norms")
    l1: float = Field(0.0, ge=0, description="L1 penalty on the trained weights (not biases and norms)")
    l2_sp: float = Field(0.0, ge=0, description="L2 penalty on the distance from the pretrained weights (Li et al. 2018)")
    schedule: Literal["linear", "cosine", "constant", "polynomial", "inverse_sqrt"] = "linear"
    schedule_power: float = Field(2.0, gt=0, description="power of the polynomial schedule")
    warmup: float = Field(0.1, ge=0, description="share of the steps (below 1) or number of steps")
    clip: float | None = Field(1.0, gt=0, description="largest gradient norm; null for none")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    gradient_checkpointing: bool = False
    evaluate_every: int | None = Field(None, gt=0, description="steps between evaluations on dev; default: once an epoch")
    metric: str = Field("accuracy", description="dev metric that chooses the best checkpoint; default: the task's first")
    patience: int | None = Field(None, gt=0, description="stop after this many evaluations without a better dev metric")
    stop_at: float | None = Field(None, description="stop when the dev metric reaches this")
    checkpoint_every: int | None = Field(None, gt=0, description="steps between checkpoints; default: with each evaluation")
    keep_checkpoints: int = Field(2, ge=1, description="newest checkpoints to keep, beside the best model")
    threads: int | None = Field(None, gt=0, description="torch threads; default: one a core")


class EvaluationSpec(Options):
    """How the run is measured."""

    resamples: int = Field(2000, ge=100, description="bootstrap resamples of every interval")
    confidence: float = Field(0.95, gt=0.5, lt=1)
    baselines: tuple[str, ...] | None = Field(None, description="cheap baselines beside the score; default: the task's")
    batch_size: int = Field(64, gt=0)


class ReportSpec(Options):
    """What the report shows."""

    texts: bool = Field(True, description="false keeps every text out of report.json, report.html and the model card")
    language: Literal["en", "zh_CN"] | None = Field(None, description="language of the report; default: the environment's")


class Recipe(Options):
    """A whole run."""

    task: Choice
    model: ModelSpec
    data: DataSpec
    method: Choice
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    report: ReportSpec = ReportSpec()
    seed: int = Field(17, ge=0, lt=2**32)
    seeds: int = Field(1, ge=1, description="number of runs with seeds seed, seed + 1, ...; the report gives the spread")
    folds: int | None = Field(None, ge=2, description="k-fold cross-validation over the training rows")
    output: str = Field("runs/run", description="folder of the run; never overwritten")


@dataclass(frozen=True, slots=True)
class Frame:
    """What `load_recipe` needs to know of tasks and methods: kind -> name -> options model."""

    options: Mapping[str, Mapping[str, type[BaseModel]]]
    defaults: Mapping[str, str]


SHORT_FORMS = {"task": "name", "method": "name", "model": "name", "data": "file"}  # `data: FILE` = `data: {file: FILE}`


def load_recipe(source: Path | str | Mapping[str, Any], frame: Frame, overrides: Sequence[str] = ()) -> Recipe:
    """Read, override and validate a recipe.

    Args:
        source: a YAML file, or the same as a mapping.
        frame: the options models of tasks and methods.
        overrides: dotted `key=value` pairs; the value is read as YAML.

    Raises:
        ProblemsFound: with every mistake, each with file and line.
    """
    if isinstance(source, Mapping):
        raw, lines, file = _plain(source), {}, "recipe"
    else:
        file = str(source)
        raw, lines = _read(Path(source), file)
    problems = list(_override(raw, lines, overrides))
    if problems:
        raise ProblemsFound(problems)
    recipe, problems = _validate(raw, frame, _Places(file, lines))
    if problems or recipe is None:
        raise ProblemsFound(problems)
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """The resolved recipe as YAML that `load_recipe` reads back to an equal recipe."""
    tree = recipe.model_dump(mode="json")
    for kind in ("task", "method"):
        choice = tree[kind]
        tree[kind] = {"name": choice["name"], **choice["options"]}
    stream = io.StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.width = 120
    writer.dump(tree, stream)
    return stream.getvalue()


def recipe_schema(frame: Frame) -> dict[str, Any]:
    """The JSON schema of a recipe (draft 2020-12), with the options of each task and method."""
    schema = Recipe.model_json_schema()
    for kind, table in frame.options.items():
        variants: list[dict[str, Any]] = [{"type": "string", "enum": sorted(table)}]
        for name, model in sorted(table.items()):
            options = model.model_json_schema()
            schema.setdefault("$defs", {}).update(options.pop("$defs", {}))
            options["properties"] = {"name": {"const": name}, **options.get("properties", {})}
            options["required"] = ["name", *options.get("required", [])]
            variants.append(options)
        schema["properties"][kind] = {"anyOf": variants}
    schema["$defs"].pop("Choice", None)
    for key, inner in (("model", "ModelSpec"), ("data", "DataSpec")):
        schema["properties"][key] = {"anyOf": [{"type": "string"}, {"$ref": f"#/$defs/{inner}"}]}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["required"] = [name for name in schema["required"] if name not in frame.defaults]
    return schema


@dataclass(frozen=True, slots=True)
class _Places:
    file: str
    lines: Mapping[tuple[str, ...], int | str]

    def problem(self, code: str, path: Sequence[str | int], message: str) -> Problem:
        """A problem at the innermost key of `path` whose line is known."""
        keys = tuple(str(key) for key in path)
        for length in range(len(keys), -1, -1):
            place = self.lines.get(keys[:length])
            if isinstance(place, str):
                return Problem(code, message, file=place)
            if place:
                return Problem(code, message, file=self.file, line=place)
        return Problem(code, message, file=self.file)


def _read(path: Path, file: str) -> tuple[dict[str, Any], dict[tuple[str, ...], int | str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = _("the recipe cannot be read ({reason}); expected a YAML file").format(reason=error.strerror)
        raise ProblemsFound([Problem("missing-recipe", message, file=file)]) from error
    except UnicodeDecodeError as error:
        message = _("the recipe is not UTF-8 (byte {byte}); save it as UTF-8").format(byte=error.start)
        raise ProblemsFound([Problem("recipe-encoding", message, file=file)]) from error
    try:
        tree = YAML().load(text)
    except YAMLError as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        reason = (error.problem if isinstance(error, MarkedYAMLError) else None) or str(error).splitlines()[0]
        message = _("not valid YAML: {reason}").format(reason=reason)
        raise ProblemsFound([Problem("recipe-yaml", message, file=file, line=mark.line + 1 if mark else 0)]) from error
    if not isinstance(tree, CommentedMap):
        message = _("a recipe is a mapping of keys such as `task:` and `data:`; got {got}").format(got=_kind(tree))
        raise ProblemsFound([Problem("recipe-yaml", message, file=file, line=1)])
    return _plain(tree), dict(_lines(tree, ()))


def _lines(node: object, path: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], int]]:
    """(path, line from 1) of every key and list item."""
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            yield (*path, str(key)), node.lc.key(key)[0] + 1
            yield from _lines(value, (*path, str(key)))
    elif isinstance(node, CommentedSeq):
        for index, value in enumerate(node):
            yield (*path, str(index)), node.lc.item(index)[0] + 1
            yield from _lines(value, (*path, str(index)))


def _plain(node: Any) -> Any:
    """Containers and scalars of ruamel as plain Python values."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _override(
    raw: dict[str, Any], lines: dict[tuple[str, ...], int | str], overrides: Sequence[str]
) -> Iterable[Problem]:
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[\w-]+(\.[\w-]+)*", key):
            message = _("'{text}' is not an override; expected key=value such as training.epochs=5").format(text=text)
            yield Problem("bad-override", message, file=COMMAND_LINE)
            continue
        try:
            parsed = _plain(YAML().load(value)) if value else ""
        except YAMLError:
            message = _("the value of '{text}' is not valid YAML").format(text=text)
            yield Problem("bad-override", message, file=COMMAND_LINE)
            continue
        *parents, last = key.split(".")
        node = raw
        for parent in parents:
            inner = node.get(parent)
            if not isinstance(inner, dict):
                inner = {} if inner is None else {SHORT_FORMS.get(parent, "name"): inner}
                node[parent] = inner
            node = inner
        node[last] = parsed
        lines[tuple(key.split("."))] = f"{COMMAND_LINE}, {key}"


def _validate(raw: dict[str, Any], frame: Frame, places: _Places) -> tuple[Recipe | None, list[Problem]]:
    problems: list[Problem] = []
    tree = dict(raw)
    for key, short in SHORT_FORMS.items():
        tree.setdefault(key, frame.defaults.get(key))
        if isinstance(tree[key], str) or (key == "data" and isinstance(tree[key], list)):
            tree[key] = {short: tree[key]}
        elif tree[key] is None:
            del tree[key]
    for kind, table in frame.options.items():
        if kind in tree:
            choice, found = _choose(kind, tree[kind], table, places)
            problems += found
            tree[kind] = choice
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        problems += _sentences(error, Recipe, (), places, skip={key for key in frame.options if tree.get(key, 0) is None})
        return None, problems
    return recipe, problems


def _choose(
    kind: str, value: Any, table: Mapping[str, type[BaseModel]], places: _Places
) -> tuple[Choice | None, list[Problem]]:
    """Validate `{name: ..., options}` against the options model that the table names."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        message = _("`{key}` must be a name, or a mapping with `name`; got {got}").format(key=kind, got=_kind(value))
        return None, [places.problem("bad-value", (kind,), message)]
    name = value["name"]
    if name not in table:
        message = _("unknown {kind} '{name}'; expected one of: {names}{hint}").format(
            kind=kind, name=name, names=", ".join(sorted(table)), hint=did_you_mean(name, table)
        )
        return None, [places.problem(f"unknown-{kind}", (kind, "name"), message)]
    try:
        options = table[name].model_validate({key: each for key, each in value.items() if key != "name"})
    except ValidationError as error:
        return None, _sentences(error, table[name], (kind,), places)
    return Choice(name=name, options=options), []


def _sentences(
    error: ValidationError, model: type[BaseModel], prefix: tuple[str, ...], places: _Places, skip: set[str] = frozenset()  # type: ignore[assignment]
) -> list[Problem]:
    """Pydantic's findings in our words, one a key."""
    found: dict[tuple[str, ...], Problem] = {}
    for detail in error.errors():
        path = _recipe_path(detail["loc"])
        if path and path[0] in skip:
            continue
        full = (*prefix, *path)
        found.setdefault(full, _sentence(detail, full, _known_keys(model, path[:-1]), places))
    return list(found.values())


def _sentence(detail: Any, path: tuple[str, ...], known: Sequence[str], places: _Places) -> Problem:
    key, kind, context = ".".join(path), detail["type"], detail.get("ctx", {})
    got = detail.get("input")
    if kind == "extra_forbidden":
        hint = did_you_mean(path[-1], list(known))
        expected = "" if hint else _("; expected one of: {names}").format(names=", ".join(known))
        message = _("unknown key '{key}'{hint}").format(key=key, hint=hint + expected)
        return places.problem("unknown-key", path, message)
    if kind == "missing":
        return places.problem("missing-key", path[:-1], _("`{key}` is missing; add it to the recipe").format(key=key))
    if kind == "value_error":
        message = _("`{key}`: {reason}").format(key=key, reason=_(str(context.get("error", detail["msg"]))))
        return places.problem("bad-value", path, message)
    message = _("`{key}`: got {got}; expected {expected}").format(
        key=key, got=_shown(got), expected=_expected(kind, context, got)
    )
    return places.problem("bad-value", path, message)


def _expected(kind: str, context: Mapping[str, Any], got: Any) -> str:
    """What pydantic's error type asks for, in our words."""
    bounds = {"greater_than": (">", "gt"), "greater_than_equal": (">=", "ge"), "less_than": ("<", "lt"), "less_than_equal": ("<=", "le")}
    if kind in bounds:
        sign, name = bounds[kind]
        return _("a number {sign} {limit}").format(sign=sign, limit=context[name])
    if kind == "literal_error":
        names = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        return _("one of: {names}").format(names=", ".join(names)) + did_you_mean(str(got), names)
    if kind.startswith(("int_", "float_", "finite_number")):
        return _("a whole number") if kind.startswith("int_") else _("a number")
    words = {
        "bool": _("true or false"), "string": _("text"), "dict": _("a mapping"), "mapping": _("a mapping"), "model": _("a mapping"),
        "list": _("a list"), "tuple": _("a list"), "too": _("a list of another length"),
    }  # fmt: skip
    return words.get(kind.split("_")[0], kind.replace("_", " "))


def _recipe_path(location: Sequence[str | int]) -> tuple[str, ...]:
    """Pydantic's location without the names of union members (`train.list[str]`, `fields.x.int`)."""
    unions = {"str", "int", "float", "bool", "list[str]"}
    return tuple(str(part) for part in location if str(part) not in unions)


def _known_keys(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    for part in path:
        inner = model.model_fields.get(part)
        if inner is None or not (isinstance(inner.annotation, type) and issubclass(inner.annotation, BaseModel)):
            return []
        model = inner.annotation
    return sorted(model.model_fields)


def _kind(value: object) -> str:
    names = {dict: _("a mapping"), list: _("a list"), str: _("text"), type(None): _("nothing")}
    return names.get(type(value), _shown(value))


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
