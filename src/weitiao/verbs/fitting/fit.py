"""One fit: a Preflight's features and a seed in; a saved model, its calibration and its answers out.

`weitiao train` runs one of these, or one a seed or fold. A fit that was killed goes on from its newest checkpoint; one
that is finished is not run again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from weitiao.artifact import RunFolder, read_json, write_json
from weitiao.errors import Failed, Interrupted, Refused
from weitiao.events import OnEvent
from weitiao.messages import _
from weitiao.methods import METHODS
from weitiao.methods.base import Method
from weitiao.methods.frozen_cache import FrozenCache
from weitiao.metrics import value_of
from weitiao.models.growing import carry_over
from weitiao.models.inference import Frozen, infer, infer_with_loss
from weitiao.models.network import Network, NetworkSpec, build, load
from weitiao.recipe import Recipe, recipe_tree
from weitiao.records import Feature, Outputs, Prediction, Record
from weitiao.tasks import Settings, Task, by_record, decode_all
from weitiao.tasks.pairs import sides_of
from weitiao.training import OBJECTIVES
from weitiao.training.loop import fit, total_steps
from weitiao.training.optimiser import OptimiserSpec
from weitiao.training.peak import peak_bytes, reset_peak
from weitiao.training.processes import Processes
from weitiao.training.settling import settle
from weitiao.training.terms import FitResult, Hooks, LoopSettings
from weitiao.training.trackers import TrackedRun, flattened, telling
from weitiao.verbs.fitting.keeping import keep
from weitiao.verbs.fitting.stages import discard_body, embed_first, settled_on, stage_facts
from weitiao.verbs.preparing.frame import method_of, objective_choice
from weitiao.verbs.preparing.preflight import Preflight
from weitiao.verbs.preparing.resolving import head_learning_rate, learning_rate

FINISHED = "fit.json"  # written last: what a fit took


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one split, with their features.

    Args:
        within: where these are some of a split's rows: all features of the split, and the places of these in it.
    """

    records: Sequence[Record]
    features: Sequence[Feature]
    within: tuple[Sequence[Feature], Sequence[int]] | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit took and found; stands in its folder as fit.json.

    Args:
        steps, epochs, seconds, tokens, best_step, stopped: as in `FitResult`.
        best: dev metric of the kept weights; None without dev.
        peak_memory_bytes: of the process, from the start of the fit.
        parameters, trained: of the network, and those that learnt, in a stage before the fit too.
        settled: what the method settled by itself, and what stages before the fit took.
    """

    steps: int
    epochs: float
    seconds: float
    tokens: int
    best_step: int | None
    stopped: str
    best: float | None
    peak_memory_bytes: int
    parameters: int = 0
    trained: int = 0
    settled: Mapping[str, Any] = field(default_factory=dict)


def part_of(found: Preflight, split: str) -> Part | None:
    """Records and features of a split, if there is one."""
    records = found.dataset.records.get(split) if found.dataset else None
    return Part(records, found.features[split]) if records else None


def measured_part(found: Preflight) -> tuple[str, Part]:
    """The split that the report measures: test, or dev, or (without either) the training rows themselves."""
    for split in ("test", "dev", "train"):
        part = part_of(found, split)
        if part is not None:
            return split, part
    raise Refused(_("there are no rows to train on"))


def fit_once(
    found: Preflight,
    train: Part,
    dev: Part | None,
    folder: RunFolder,
    *,
    seed: int,
    cache: Path,
    on_event: OnEvent,
    stop: Callable[[], bool],
) -> Fitted:
    """Fit, calibrate, save and verify one model into `folder`; nothing is done again that is done.

    Raises:
        Interrupted: `stop` asked for it.
    """
    if (folder.path / FINISHED).is_file():
        return Fitted(**read_json(folder.path / FINISHED))
    leave_if(stop, _("interrupted before fitting; the run is saved"))
    reset_peak()
    if Processes.current().is_main:
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.sweep()
    settings = loop_settings(found, seed)
    on_event({"kind": "phase", "text": _("opening the model")})
    network, method = _begun(found, train, settings, seed, Hooks(on_event=on_event, stop=stop), folder)
    whole = method_of(found.recipe).body_first
    trained = sum(each.numel() for each in network.parameters() if whole or each.requires_grad)
    leave_if(stop, _("interrupted before fitting; the run is saved"))
    parts = {"train": train, **({"dev": dev} if dev else {})}
    frozen = _frozen(network, method.cache, parts, cache, on_event, stop)
    leave_if(stop, _("interrupted before fitting; the run is saved"))
    with _tracked(found, folder, on_event) as told:
        hooks = replace(_hooks(found, network, train, dev, frozen), on_event=told, stop=stop)
        result = _learn(found, network, method, train, settings, hooks, folder)
    before = stage_facts(folder)
    stage = before.get("first_stage", {"seconds": 0.0, "tokens": 0})
    fitted = replace(
        _fitted(result, found.metric),
        seconds=stage["seconds"] + result.seconds,
        tokens=stage["tokens"] + result.tokens,
        parameters=sum(each.numel() for each in network.parameters()),
        trained=trained,
        settled={**method.facts(network), **before},
    )
    if result.stopped:
        text = _("training ended at step {step} of {steps}, as `training.{key}` asks")
        steps = total_steps(train.features, settings)
        on_event({"kind": "note", "text": text.format(step=result.steps, steps=steps, key=result.stopped)})
    if Processes.current().is_main:
        on_event({"kind": "phase", "text": _("saving the model")})
        shown = dev or (train if train.records else measured_part(found)[1])
        rows = train.records or shown.records
        keep(found, network, method, rows, shown.features, lambda: _calibrate(found, network, dev), folder)
        write_json(folder.path / FINISHED, asdict(fitted))
        discard_body(folder)
    Processes.current().wait()
    return fitted


def _begun(
    found: Preflight, train: Part, settings: LoopSettings, seed: int, hooks: Hooks, folder: RunFolder
) -> tuple[Network, Method]:
    """The network as the fit begins, and the method that was applied to it."""
    options = method_of(found.recipe)
    network = _network(found, train.records, seed)
    method: Method = METHODS[found.recipe.method.name](options)
    embed_first(network, options, train.features, settings, hooks, folder)
    method.apply(network, total_steps(train.features, settings))
    return network, method


def _hooks(found: Preflight, network: Network, train: Part, dev: Part | None, frozen: Mapping[str, Frozen]) -> Hooks:
    objective = objective_choice(found.recipe)
    return Hooks(
        evaluate=None if dev is None else lambda: dev_metrics(found, network, dev, frozen.get("dev")),
        describe=lambda row: train.records[train.features[row].group].place,
        frozen=frozen.get("train"),
        objective=OBJECTIVES[objective.name](objective.options),
    )


def _learn(
    found: Preflight,
    network: Network,
    method: Method,
    train: Part,
    settings: LoopSettings,
    hooks: Hooks,
    folder: RunFolder,
) -> FitResult:
    """By the loop's steps, or at once where the method takes none."""
    if method_of(found.recipe).stepwise:
        return fit(network, method, train.features, settings, hooks, folder=folder.checkpoints, log=folder.log)
    return settle(network, method, settled_on(found, train.features), hooks, log=folder.log)


def _tracked(found: Preflight, folder: RunFolder, on_event: OnEvent) -> AbstractContextManager[OnEvent]:
    """`on_event`, which also tells the recipe's trackers of this fit; in the process that speaks."""
    recipe = found.recipe
    whole = Path(recipe.output)
    own = folder.path.relative_to(whole) if folder.path.is_relative_to(whole) else Path()
    run = TrackedRun(
        folder.path / "trackers", folder.log, recipe.tracking.project, str(Path(whole.name, own)),
        flattened(recipe_tree(recipe)),
    )  # fmt: skip
    return telling(recipe.tracking.trackers if Processes.current().is_main else (), run, on_event)


def leave_if(stop: Callable[[], bool], reason: str) -> None:
    """Leave the run where it can be resumed; all processes decide alike.

    Raises:
        Interrupted: with this reason.
    """
    if Processes.current().any(stop()):
        raise Interrupted(reason)


def answers(found: Preflight, folder: RunFolder, part: Part) -> tuple[list[Prediction], Settings]:
    """The saved model's answers to a part, and what was calibrated."""
    settings: Settings = read_json(folder.model / "task.json")["settings"]
    outputs = infer(load(folder.model, trust_remote_code=found.recipe.model.trust_remote_code), part.features)
    return decode(found, part, outputs, settings), settings


def decode(found: Preflight, part: Part, outputs: Sequence[Outputs], settings: Settings) -> list[Prediction]:
    """Answers from the outputs of all features."""
    return decode_all(found.task, part.records, part.features, outputs, found.labels, settings)


def dev_metrics(found: Preflight, network: Network, dev: Part, frozen: Frozen | None) -> Mapping[str, float]:
    """Every metric of the task on dev, and the dev loss, where rows have one of their own and a target.

    Thresholds are those that the model would be saved with, so that it is chosen as it would answer.
    """
    outputs, loss = infer_with_loss(network, dev.features, frozen=frozen)
    predictions = decode(found, dev, outputs, _calibrated(found, dev, outputs))
    scores = {} if math.isnan(loss) else {"loss": loss}
    metrics = found.task.metrics(found.labels)
    return scores | {metric.name: value_of(metric, predictions, dev.records) for metric in metrics}


def loop_settings(found: Preflight, seed: int) -> LoopSettings:
    """The recipe's `training` as the loop's plain values."""
    training = found.recipe.training
    optimiser = OptimiserSpec(
        name=training.optimizer, learning_rate=learning_rate(found),
        head_learning_rate=head_learning_rate(found), layer_decay=training.layer_decay, betas=training.betas,
        epsilon=training.epsilon, momentum=training.momentum, weight_decay=training.weight_decay, l1=training.l1,
        l2_sp=training.l2_sp,
    )  # fmt: skip
    return LoopSettings(
        epochs=training.epochs, max_steps=training.max_steps, max_minutes=training.max_minutes,
        batch_size=training.batch_size, token_budget=training.token_budget, order=training.order,
        schedule=training.schedule, schedule_power=training.schedule_power, warmup=training.warmup, clip=training.clip,
        ema=training.ema, bf16=training.precision == "bf16", evaluate_every=training.evaluate_every,
        metric=found.metric, patience=training.patience, stop_at=training.stop_at,
        checkpoint_every=training.checkpoint_every, keep_checkpoints=training.keep_checkpoints, seed=seed,
        optimiser=optimiser,
    )  # fmt: skip


def _network(found: Preflight, records: Sequence[Record], seed: int) -> Network:
    recipe = found.recipe
    if found.folder is None or found.tokenizer is None:
        raise Failed(_("the model was not found"))
    targets = found.task.targets(records, found.labels)
    pair = _reads_apart(found, found.folder.path, records)
    spec = network_spec(recipe, found.task, found.labels, found.tokenizer.pad_id, targets, pair=pair)
    torch.manual_seed(seed)
    network = build(found.folder.path, spec)
    if recipe.model.continues:
        carry_over(network, found.folder.path, trust_remote_code=recipe.model.trust_remote_code)
    if recipe.training.gradient_checkpointing:
        network.checkpoint_gradients()
    return network


def _reads_apart(found: Preflight, folder: Path, records: Sequence[Record]) -> bool:
    """Whether the head reads the two texts of each row apart, too; one that is gone on with reads what it read."""
    if found.recipe.model.continues:
        return bool(read_json(folder / "task.json")["network"].get("options", {}).get("pair"))
    mean = found.recipe.model.head == "mean" and found.task.pools
    return mean and method_of(found.recipe).needs_rows and any(sides_of(record) for record in records[:1])


def network_spec(
    recipe: Recipe,
    task: Task[Any, Any],
    labels: Sequence[str],
    pad_id: int,
    targets: Mapping[str, Any],
    *,
    pair: bool = False,
) -> NetworkSpec:
    """What the recipe puts on the backbone.

    Args:
        targets: what the head's loss is made from, as the task tells it of the training rows.
        pair: whether the head is a mean head that reads the two texts of each row apart, too.
    """
    weights = targets.get("class_weights")
    return NetworkSpec(
        head=task.head,
        kind=recipe.model.head,
        labels=list(task.classes(labels)),
        options={**task.head_options(), **({"pair": True} if pair else {})},
        class_weights=None if weights is None else [float(value) for value in weights],
        label_smoothing=recipe.training.label_smoothing,
        hidden_layers=list(recipe.model.hidden_layers),
        reinit_layers=recipe.model.reinit_layers,
        dropout=recipe.model.dropout,
        pad_id=pad_id,
        trust_remote_code=recipe.model.trust_remote_code,
    )


def _frozen(
    network: Network,
    precision: str | None,
    parts: Mapping[str, Part],
    cache: Path,
    on_event: OnEvent,
    stop: Callable[[], bool],
) -> dict[str, Frozen]:
    """Caches of the frozen part by split; empty where nothing is frozen or this model cannot be cached."""
    if precision is None or not network.frozen_below or not network.packable:
        return {}
    if not all((cache / f"{name}.json").is_file() for name in parts):
        on_event({"kind": "phase", "text": _("running the frozen layers once over all texts")})

    def made() -> dict[str, Frozen]:
        return {
            name: _cached(network, part, cache / f"{name}.bin", precision, stop=stop) for name, part in parts.items()
        }

    first: dict[str, Frozen] = {}
    with suppress(Interrupted):  # all processes leave together, in the next line
        first = made() if Processes.current().is_main else {}
    leave_if(stop, _("interrupted before fitting; the run is saved"))  # the others wait here, and find the files made
    return first or made()


def _cached(network: Network, part: Part, path: Path, precision: str, *, stop: Callable[[], bool]) -> Frozen:
    """The cache of a part; some of a split's rows are looked up in that of all, which the other folds need too."""
    if part.within is None:
        return FrozenCache(network, part.features, path, precision, stop=stop)
    features, places = part.within
    whole = FrozenCache(network, features, path, precision, stop=stop)
    return lambda rows: whole([places[row] for row in rows])


def _calibrate(found: Preflight, network: Network, dev: Part | None) -> Settings:
    """What dev tells of thresholds and the like; without the cache, whose rounded numbers are not those served."""
    return {} if dev is None else _calibrated(found, dev, infer(network, dev.features))


def _calibrated(found: Preflight, dev: Part, outputs: Sequence[Outputs]) -> Settings:
    settings: Settings = found.task.calibrate(
        dev.records, *by_record(len(dev.records), dev.features, outputs), found.labels
    )
    return settings


def _fitted(result: FitResult, metric: str) -> Fitted:
    best = next(
        (entry["dev"][metric] for entry in result.history if entry["step"] == result.best_step and "dev" in entry), None
    )
    return Fitted(
        result.steps,
        result.epochs,
        result.seconds,
        result.tokens,
        result.best_step,
        result.stopped,
        best,
        peak_bytes(),
    )
