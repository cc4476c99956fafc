"""What a search was asked for, what of it cannot work, and the Optuna objects that do it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from weitiao.errors import MissingExtra, Refused
from weitiao.messages import _
from weitiao.recipe.sentences import findings
from weitiao.tables import did_you_mean
from weitiao.tuning.space import Choices, Normal, Number, Space

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

SAMPLERS = ("tpe", "random", "grid", "cmaes", "nsga2")
PRUNERS = ("median", "hyperband", "wilcoxon")
AGAINST = ("ms_per_text", "model_bytes", "trained_parameters")  # less is better
STORAGES = ("journal", "sqlite")
TRIALS = 20  # where neither trials nor minutes are given
LONGEST_GRID = 1000
WILCOXON_PARTS = 5  # four parts, all worse, have p = 0.0625 below Optuna's threshold of 0.1; three have 0.125
GENERATIONS = 4  # of nsga2 in a budget of trials, at least; the first is drawn at random
POPULATION = (4, 50)  # trials of a generation: the fewest, and Optuna's default
STARTUP = 10  # trials that TPE draws at random before it models anything (Optuna's default)


class Search(BaseModel):
    """How the space is searched; kept in the study's folder.

    Args:
        trials: at most so many; None: as many as the minutes allow.
        minutes: no trial begins after so many.
        against: what is weighed against the score.
        seeds: with which the winner and the recipe are trained at the end; 0: they are not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sampler: str = "tpe"
    pruner: str | None = None
    trials: int | None = None
    minutes: float | None = None
    against: tuple[str, ...] = ()
    seeds: int = 3
    storage: str = "journal"
    seed: int = 17


@dataclass(frozen=True, slots=True)
class Facts:
    """What of the recipe decides whether a search can work.

    Args:
        dev: whether there are dev rows.
        repeats: fits of a trial: its folds or seeds.
        evaluations: on dev in one fit; None where the space changes how many.
    """

    dev: bool
    folds: bool
    repeats: int
    evaluations: int | None


def make_search(**given: Any) -> Search:
    """A search of what was asked for.

    Raises:
        Refused: a value of another kind, such as half a trial, an unknown name, or a number that is no budget.
    """
    try:
        search = Search(**given)
    except ValidationError as error:
        raise Refused("\n".join(finding.message for finding in findings(error, Search))) from error
    refuse_unknown(search)
    return search


def refuse_beside_resume(option: str, given: Mapping[str, Any]) -> None:
    """See that a search that goes on is told nothing that it was begun with.

    Args:
        option: what it goes on by, as the user writes it.
        given: name -> value, None or nothing in it where it was not given.
    """
    names = [name for name, value in given.items() if value is not None and value != () and value != []]
    if names:
        message = _(
            "{option} goes on with the search's own recipe and space; give only new limits and workers with it, and "
            "leave out {names}"
        )
        raise Refused(message.format(option=option, names=", ".join(names)))


def known(search: Search) -> Iterator[str]:
    """Names that are no sampler, pruner or objective, and numbers that are no budget."""
    named: Sequence[tuple[str, str, Sequence[str]]] = (
        ("sampler", search.sampler, SAMPLERS),
        ("pruner", search.pruner or PRUNERS[0], PRUNERS),
        ("storage", search.storage, STORAGES),
        *(("against", name, AGAINST) for name in search.against),
    )
    for option, name, names in named:
        if name not in names:
            message = _("unknown {option} '{name}'; expected one of: {names}{hint}")
            yield message.format(option=option, name=name, names=", ".join(names), hint=did_you_mean(name, names))
    for option, number, fits, wanted in (
        ("trials", search.trials, search.trials is None or search.trials >= 1, _("at least 1")),
        ("minutes", search.minutes, search.minutes is None or 0 < search.minutes < math.inf, _("a number above 0")),
        ("seeds", search.seeds, search.seeds >= 0, _("at least 0")),
    ):
        if not fits:
            yield _("`{option}` is {got}; expected {wanted}").format(option=option, got=f"{number:g}", wanted=wanted)


def misfits(search: Search, space: Space, facts: Facts) -> Iterator[str]:
    """Parts of the search that are right by themselves and wrong together; a sentence each."""
    if not facts.dev and not facts.folds:
        yield _("trials are compared on dev rows, and there are none; set `data.dev`, such as 10%, or `folds`")
    yield from _sampler_misfits(search, space)
    yield from _pruner_misfits(search, facts)


def _sampler_misfits(search: Search, space: Space) -> Iterator[str]:
    lists = [each.name for each in space.all() if isinstance(each.domain, Choices)]
    if search.sampler == "cmaes":
        if lists:
            message = _("cmaes searches numbers only, and `{name}` is a list of choices; take tpe or random")
            yield message.format(name=lists[0])
        elif len(space.all()) < 2:
            yield _("cmaes needs two numbers at least, and the space has one; take tpe or random")
        if search.against:
            yield _("cmaes has one objective; with `against` take nsga2 or tpe")
    if search.sampler == "grid":
        endless = [each.name for each in space.endless()]
        if endless:
            message = _("a grid has an end, and `{name}` has none; give it `step`, `int: true`, or a list of values")
            yield message.format(name=endless[0])
        elif (count := space.count(steps)) > LONGEST_GRID:
            message = _("the grid has {count} combinations; expected at most {most}; take random or tpe")
            yield message.format(count=f"{count:,}", most=f"{LONGEST_GRID:,}")


def _pruner_misfits(search: Search, facts: Facts) -> Iterator[str]:
    if search.pruner is None:
        return
    if search.against:
        yield _("a trial with two objectives cannot be pruned; remove the pruner or `against`")
    if search.pruner == "wilcoxon":
        if facts.repeats < WILCOXON_PARTS:
            message = _(
                "wilcoxon compares folds or seeds, and of {got} it can give up no trial before the last; set `folds` "
                "or `seeds` in the recipe to {least} at least"
            )
            yield message.format(got=facts.repeats, least=WILCOXON_PARTS)
    elif not facts.dev:
        yield _("{pruner} prunes by what dev says after each epoch, and there is no dev split; set `data.dev`").format(
            pruner=search.pruner
        )
    elif facts.evaluations is not None and facts.evaluations < 2:
        message = _(
            "{pruner} needs two evaluations of a trial at least, and it has {count}; set training.evaluate_every"
        )
        yield message.format(pruner=search.pruner, count=facts.evaluations)


def open_optuna() -> Any:
    """Optuna, which says nothing below an error.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("optuna", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def make_sampler(search: Search, drawn: int) -> BaseSampler:
    """A sampler for the next trial: seeded by how many were drawn, so that a search that goes on draws the same."""
    samplers = open_optuna().samplers
    seed = (search.seed * 1_000_003 + drawn) % 2**32
    made: BaseSampler
    match search.sampler:
        case (
            "tpe"
        ):  # constant_liar: other workers' running trials count as poor ones, so that no two try the same place
            made = samplers.TPESampler(n_startup_trials=STARTUP, seed=seed, constant_liar=True)
        case "cmaes":
            try:
                import cmaes  # noqa: F401
            except ImportError as error:
                raise MissingExtra("cmaes", "tune") from error
            made = samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        case "nsga2":
            fewest, most = POPULATION
            size = min(most, max(fewest, (search.trials or TRIALS) // GENERATIONS))
            made = samplers.NSGAIISampler(seed=seed, population_size=size)
        case _:  # a grid is queued as a whole
            made = samplers.RandomSampler(seed=seed)
    return made


def make_pruner(search: Search, evaluations: int | None) -> BasePruner:
    """The pruner; hyperband's brackets follow the evaluations of a trial, where these are known."""
    optuna = open_optuna()
    made: BasePruner
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # Wilcoxon, since Optuna 3.6
        match search.pruner:
            case "median":
                made = optuna.pruners.MedianPruner()
            case "hyperband":
                made = optuna.pruners.HyperbandPruner(max_resource=evaluations or "auto")
            case "wilcoxon":
                made = optuna.pruners.WilcoxonPruner()
            case _:
                made = optuna.pruners.NopPruner()
    return made


def grid(space: Space) -> Iterator[Mapping[str, Any]]:
    """Parameters of every combination of a space without endless numbers."""
    return space.combinations(steps)


def steps(domain: Number | Normal) -> Sequence[float]:
    """Every value of a number that has an end of them."""
    return domain.steps() or []


def refuse_unknown(search: Search) -> None:
    """See that the search can be read at all.

    Raises:
        Refused: with every mistake, a sentence each.
    """
    if found := list(known(search)):
        raise Refused("\n".join(found))
