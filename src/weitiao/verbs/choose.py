"""`weitiao.choose`: which pretrained model suits a recipe's rows and task, before any is trained.

Candidates are looked at, the usable ones probed frozen: by five folds of a seeded sample of train and dev, or on dev
where it has rows of its own. Test is never looked at. Out comes a `Ranking` whose order has its reasons and its doubt.
The work is done in verbs/choosing/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from weitiao.data.items import Item
from weitiao.data.splitting import folds, take_sample
from weitiao.errors import Refused, WeitiaoError
from weitiao.evaluation.intervals import Resampling, interval
from weitiao.evaluation.learning import ENOUGH
from weitiao.events import OnEvent, silent
from weitiao.messages import _
from weitiao.metrics import AnyMetric
from weitiao.recipe import Recipe, quoted
from weitiao.records import Prediction, Record
from weitiao.tasks import Task
from weitiao.verbs.choosing.candidates import Looked, installed_starters, look
from weitiao.verbs.choosing.ranking import FEWEST, Candidate, Ranking, Samples, by_coverage, by_score
from weitiao.verbs.choosing.scored import dev_is_share, more_labelled
from weitiao.verbs.preparing.memory import draft_with
from weitiao.verbs.preparing.preflight import Preflight, inspect

ROWS = 1000  # to probe with
FOLDS = 5
PROBED = frozenset({"classify", "embed", "relate", "score", "tag"})  # heads that a linear model can stand in for


def choose(
    recipe: Path | str | Mapping[str, Any] | Recipe,
    models: str | Path | Sequence[str | Path] = (),
    *,
    overrides: Sequence[str] = (),
    data: Any = None,
    rows: int = ROWS,
    on_event: OnEvent = silent,
) -> Ranking:
    """Rank pretrained models for a recipe's rows and task; writes nothing.

    Args:
        recipe: a YAML file, the same as a mapping, or a `Recipe`; its own model is a candidate where `models` is empty.
        models: one or several that a recipe may name; default: the recipe's and the starters that are installed.
        overrides: dotted `key=value` changes.
        data: rows in Python in place of the recipe's files.
        rows: to probe with, at most; where dev has rows of its own, so many of train and of dev; 0 for no probe.
        on_event: told of phases and of problems that stop nothing.

    Raises:
        ProblemsFound: recipe or data are at fault.
        Refused: there is no model to rank, a name is empty, or `rows` are too few for a probe.
    """
    given = _names(models)
    if rows and rows < FEWEST:
        raise Refused(_("`rows` is {got}; expected at least {least}, or 0 for no probe").format(got=rows, least=FEWEST))
    on_event({"kind": "phase", "text": _("checking recipe and data")})
    draft, memory = draft_with(recipe, [*overrides, *(f"model.name={quoted(name)}" for name in given[:1])], data)
    names = list(dict.fromkeys(given or (*filter(None, [draft.recipe.model.name]), *installed_starters())))
    if not names:
        raise Refused(_("there is no model to rank; name some with --model, or install weitiao[starters]"))
    nameless = draft.recipe.model_copy(update={"model": draft.recipe.model.model_copy(update={"name": ""})})
    found = inspect(replace(draft, recipe=nameless), memory=memory, full=False)
    if found.warnings:
        on_event({"kind": "problems", "problems": found.warnings})
    found.refuse()
    if found.dataset is None or "train" not in found.dataset.records:
        raise Refused(_("there are no rows to train on"))
    return _ranked(found, names, rows, on_event)


def _names(models: str | Path | Sequence[str | Path]) -> list[str]:
    """The models as a recipe names them.

    Raises:
        Refused: a name is empty.
    """
    names = [str(each) for each in ([models] if isinstance(models, str | Path) else models)]
    if not all(name.strip() for name in names):
        raise Refused(
            _("the name of a model is empty; expected ./folder, starter:NAME, hf:owner/name or ms:owner/name")
        )
    return names


def _ranked(found: Preflight, names: Sequence[str], rows: int, on_event: OnEvent) -> Ranking:
    if not rows or found.task.head not in PROBED:
        texts = [found.task.surface(record) for record in _pooled(found, ["train"], ROWS)[0]]
        candidates = [candidate_of(look(found, name, texts)) for name in names]
        return by_coverage(candidates, unanswerable=found.task.name if rows else "")
    samples = samples_of(found, rows)
    texts = [found.task.surface(record) for record in samples.records]
    looked = [look(found, name, texts) for name in names]
    candidates = [candidate_of(each) for each in looked]
    answers: dict[str, list[Prediction]] = {}
    metric = found.task.metrics(found.labels)[0]
    resampling = _resampling(found.recipe, samples)
    for place, each in enumerate(looked):
        if not each.reason:
            on_event({"kind": "phase", "text": _("probing {model}").format(model=each.name)})
            candidates[place], predictions = _probed(candidates[place], each, found, samples, metric, resampling)
            answers[each.name] = predictions
    return by_score(candidates, answers, samples, metric, resampling)


def samples_of(found: Preflight, rows: int) -> Samples:
    """Seeded, stratified samples: train against dev where dev has rows of its own, else folds of both together.

    Raises:
        Refused: there are fewer different texts or groups than folds.
    """
    assert found.dataset is not None  # refused otherwise
    there = found.dataset.records
    if "dev" in there and not dev_is_share(found):
        train, dev = (_pooled(found, [name], rows)[0] for name in ("train", "dev"))
        places = range(len(train) + len(dev))
        part = (places[: len(train)], places[len(train) :])
        return Samples([*train, *dev], [part], list(_more(found, ["dev"], rows)))
    names = [name for name in ("train", "dev") if name in there]
    records, items = _pooled(found, names, rows)
    try:
        held = folds(items, FOLDS, found.recipe.data.split_seed)
    except Refused as error:
        message = _(
            "{reason}; give more rows, dev rows of their own in data.dev, or --rows 0 for an order without a probe"
        )
        raise Refused(message.format(reason=error)) from error
    parts = [([place for other in held if other is not fold for place in other], fold) for fold in held]
    return Samples(records, parts, list(_more(found, names, rows)))


def _pooled(found: Preflight, names: Sequence[str], rows: int) -> tuple[list[Record], list[Item]]:
    """A seeded, stratified sample of these splits together."""
    assert found.dataset is not None  # refused otherwise
    records = [record for name in names for record in found.dataset.records[name]]
    items = [item for name in names for item in found.dataset.items[name]]
    places = take_sample(items, rows, found.recipe.data.split_seed)
    return [records[place] for place in places], [items[place] for place in places]


def _more(found: Preflight, names: Sequence[str], rows: int) -> Iterator[str]:
    """What would give more rows to score than there are, where they are few."""
    assert found.dataset is not None  # refused otherwise
    there = sum(len(found.dataset.records[name]) for name in names)
    if rows < min(there, ENOUGH):
        words = _("raise --rows, by which {rows} of {there} rows were scored")
        yield words.format(rows=rows, there=f"{there:,}")
    if there < ENOUGH:
        yield more_labelled(found, names)


def candidate_of(looked: Looked) -> Candidate:
    """What is known before weights are opened."""
    known = Candidate(looked.name, looked.reason)
    if looked.folder is not None:
        folder = looked.folder
        known = replace(known, family=folder.family, license=folder.license, parameters=folder.size)
    if looked.coverage is None or looked.plan is None:
        return known
    return replace(
        known,
        max_length=looked.max_length,
        cut=looked.cut,
        unknown=looked.coverage.unknown,
        pieces_per_character=looked.coverage.per_character,
        pieces_per_word=looked.coverage.per_word,
        memory_bytes=looked.plan.memory_bytes,
        seconds=looked.plan.seconds,
    )


def _resampling(recipe: Recipe, samples: Samples) -> Resampling:
    spec = recipe.evaluation
    groups = [record.group or str(row) for row, record in enumerate(samples.scored)]
    units = groups if any(record.group for record in samples.scored) else None
    return Resampling(spec.resamples, spec.confidence, units=units)


def _probed(
    candidate: Candidate,
    looked: Looked,
    found: Preflight,
    samples: Samples,
    metric: AnyMetric,
    resampling: Resampling,
) -> tuple[Candidate, list[Prediction]]:
    """The candidate with its score, and its answers; a model whose weights do not load becomes unusable."""
    from weitiao.verbs.choosing.probing import Probing

    recipe, folder, tokenizer = looked.recipe, looked.folder, looked.tokenizer
    if recipe is None or folder is None or tokenizer is None:
        return candidate, []
    task = without_crf(found.task)
    try:
        probing = Probing(recipe, folder.path, tokenizer, looked.max_length, task, found.labels)
        probed = probing.run(samples)
    except WeitiaoError as error:
        return replace(candidate, reason=str(error)), []
    score = interval(metric, probed.predictions, samples.scored, resampling)
    return replace(candidate, score=score, ms_a_text=probed.ms_a_text), probed.predictions


def without_crf(task: Task[Any, Any]) -> Task[Any, Any]:
    """The task as a linear model can answer it: what follows what in tags is not learnt, only what may."""
    options = getattr(task, "options", None)
    if not task.head_options().get("crf") or options is None:
        return task
    plain: Task[Any, Any] = type(task)(options.model_copy(update={"crf": False}))  # type: ignore[call-arg]
    return plain
