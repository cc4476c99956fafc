"""`weitiao.choose`: which pretrained model suits a recipe's rows and task, before any is trained.

Candidates are looked at, the usable ones probed frozen on a seeded sample of train and scored on dev, never on test.
Out comes a `Ranking` whose order has its reasons and its doubt. The work is done in verbs/choosing/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from weitiao.data.splitting import take_sample, take_share
from weitiao.errors import Refused, WeitiaoError
from weitiao.evaluation.intervals import Resampling, interval
from weitiao.evaluation.learning import ENOUGH
from weitiao.evaluation.titles import split_title
from weitiao.events import OnEvent, silent
from weitiao.messages import _
from weitiao.metrics import AnyMetric
from weitiao.recipe import Recipe, quoted
from weitiao.records import Prediction
from weitiao.tasks import Task
from weitiao.verbs.choosing.candidates import Looked, installed_starters, look
from weitiao.verbs.choosing.ranking import FEWEST, Candidate, Ranking, Samples, by_coverage, by_score
from weitiao.verbs.choosing.scored import way_to_more
from weitiao.verbs.preparing.memory import draft_with
from weitiao.verbs.preparing.preflight import Preflight, inspect

ROWS = 1000  # of train to learn from, and of dev to be scored on
HELD_OUT = 0.2  # share of train that is scored where there is no dev
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
        rows: at most, of train that the probe learns from, and of dev that it is scored on; 0 for no probe.
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
    samples = samples_of(found, rows or ROWS)
    texts = [found.task.surface(record) for record in samples.train]
    looked = [look(found, name, texts) for name in names]
    candidates = [candidate_of(each) for each in looked]
    if not rows or found.task.head not in PROBED:
        return by_coverage(candidates, unanswerable=found.task.name if rows else "")
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
    """Seeded, stratified samples: of dev where there is one, else of a part of train that is held out."""
    dataset, seed = found.dataset, found.recipe.data.split_seed
    assert dataset is not None  # refused otherwise
    items, records = dataset.items["train"], dataset.records["train"]
    if "dev" in dataset.records:
        inside, split = list(range(len(items))), "dev"
        others, other_items = dataset.records["dev"], dataset.items["dev"]
    else:
        held = set(take_share(items, HELD_OUT, seed))
        inside, split = [row for row in range(len(items)) if row not in held], "train"
        others, other_items = [records[row] for row in sorted(held)], [items[row] for row in sorted(held)]
    train = [inside[place] for place in take_sample([items[row] for row in inside], rows, seed)]
    scored = take_sample(other_items, rows, seed)
    more = list(_more(found, split, len(others), rows)) if len(scored) < ENOUGH else []
    return Samples([records[row] for row in train], [others[row] for row in scored], split, more)


def _more(found: Preflight, split: str, there: int, rows: int) -> Iterator[str]:
    """What would give more rows to score than the `rows` that were asked for, of those that are there."""
    if rows < there:
        words = _("raise --rows, by which {rows} of {there} rows of {split} were scored")
        yield words.format(rows=rows, there=f"{there:,}", split=split_title(split))
    if there < ENOUGH:
        yield way_to_more(found, split)


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
        probed = probing.run(samples.train, samples.scored)
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
