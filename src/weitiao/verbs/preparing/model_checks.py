"""What a recipe asks of its model that this model, or this machine, cannot give; told from config and headers alone."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from weitiao.errors import MissingExtra
from weitiao.machine import cpu_flags
from weitiao.messages import _
from weitiao.methods.options import CacheOptions
from weitiao.models.families import entailment
from weitiao.models.reference import ModelFolder
from weitiao.models.shape import stack_depth_of, width_of
from weitiao.recipe import Finding, Recipe
from weitiao.tasks import Task
from weitiao.text import Tokenizer
from weitiao.verbs.planning.plan import is_packable, shape_for
from weitiao.verbs.preparing.encoding import SHORTEST
from weitiao.verbs.preparing.frame import method_of, objective_of

FAST_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 and Arm names of the instructions
MEAN_POOLED = frozenset({"starter:en", "starter:zh-en", "starter:zh-en-full"})  # sentence encoders; the pooler idled
READ_LAST = frozenset({"xlnet"})  # stock heads that read the last place, which their tokenizers fill by padding left
SPEAKING = {  # family -> what a folder has, whose model can fill a gap
    **dict.fromkeys(
        ("bert", "ernie", "megatron-bert", "roformer", "rembert"), "cls.predictions.transform.dense.weight"
    ),
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert", "mpnet"), "lm_head.dense.weight"),
    "albert": "predictions.dense.weight",
    "distilbert": "vocab_transform.weight",
    "electra": "generator_predictions.dense.weight",
    "modernbert": "head.dense.weight",
}
POOLERS = {  # family whose pretraining has a pooler -> the tensor through which its stock head then reads
    "albert": "pooler.weight",
    **dict.fromkeys(("bert", "ernie", "megatron-bert", "rembert", "roc_bert"), "pooler.dense.weight"),
}


def model_misfits(
    recipe: Recipe, task: Task[Any, Any], folder: ModelFolder, tokenizer: Tokenizer | None
) -> Iterator[Finding]:
    """Findings about the recipe in the light of its model."""
    yield from _layers(recipe, stack_depth_of(folder.config))
    yield from method_of(recipe).misfits(recipe, folder)
    yield from objective_misfits(recipe, task, folder)
    yield from _stock_head(recipe, task, folder)
    yield from _silent(task, folder)
    yield from _entails(task, folder)
    yield from _dimensions(task, folder)
    if tokenizer is not None and tokenizer.max_length:
        yield from _too_long(recipe, tokenizer.max_length)


def _too_long(recipe: Recipe, limit: int) -> Iterator[Finding]:
    """Longer texts than the model has positions for, or none left for a text at all."""
    wanted, taken = recipe.training.max_length, method_of(recipe).positions
    if taken and limit - taken < SHORTEST:
        message = _("`method.count` is {count}, and of the model's {limit} tokens that leaves none for the text")
        yield Finding("misfit", ("method", "count"), message.format(count=taken, limit=limit))
    elif wanted is not None and limit < wanted:
        message = _("`training.max_length` is {got}, but the model reads at most {limit} tokens").format(
            got=wanted, limit=limit
        )
        yield Finding("misfit", ("training", "max_length"), message)
    elif wanted is not None and limit - taken < wanted:
        message = _(
            "`training.max_length` is {got}, but of the {limit} tokens that the model reads `method.count` takes "
            "{count}; give at most {room}"
        ).format(got=wanted, limit=limit, count=taken, room=limit - taken)
        yield Finding("misfit", ("training", "max_length"), message)


def objective_misfits(recipe: Recipe, task: Task[Any, Any], folder: ModelFolder) -> Iterator[Finding]:
    """Why the objective cannot work with this model and method."""
    shape = shape_for(recipe, task, folder)
    learning = method_of(recipe).learning(shape, packable=is_packable(recipe, folder.family))
    yield from objective_of(recipe).model_misfits(recipe, folder, learning)


def _stock_head(recipe: Recipe, task: Task[Any, Any], folder: ModelFolder) -> Iterator[Finding]:
    if recipe.model.head != "stock" or not task.stock:
        return
    if folder.has_class(task.stock):
        if task.pools and folder.family in READ_LAST:
            message = _(
                "the classification head of the family '{family}' reads the last place of a batch, where shorter texts "
                "have padding; set model.head=mean"
            )
            yield Finding("no-stock-head", ("model", "head"), message.format(family=folder.family))
        return
    if task.pools:
        message = _("transformers has no classification head for the family '{family}'; set model.head=mean")
        yield Finding("no-stock-head", ("model", "head"), message.format(family=folder.family))
    else:
        message = _("transformers has no {auto} of the family '{family}'; name another model")
        yield Finding("no-stock-head", ("model", "name"), message.format(auto=task.stock, family=folder.family))


def _silent(task: Task[Any, Any], folder: ModelFolder) -> Iterator[Finding]:
    """A masked language model is asked for, and its head was left out of the folder."""
    wanted = SPEAKING.get(folder.family)
    if task.stock != "AutoModelForMaskedLM" or wanted is None or not folder.has_class(task.stock):
        return
    if not any(name.endswith(wanted) for name in folder.parameters):
        message = _(
            "the task '{task}' asks the language model itself, and this folder has its encoder alone (no '{name}'); "
            "name one saved with its masked-language-model head"
        )
        yield Finding("no-language-model", ("model", "name"), message.format(task=task.name, name=wanted))


def _entails(task: Task[Any, Any], folder: ModelFolder) -> Iterator[Finding]:
    """Natural-language inference is asked of a model that has no class for it."""
    named = folder.config.get("id2label")
    if task.head == "entail" and entailment(named if isinstance(named, dict) else {}) is None:
        message = _(
            "the task '{task}' asks a model of natural-language inference, and none of this model's labels is "
            "'entailment' ({labels}); name one that was trained on it"
        )
        labels = ", ".join(map(str, named.values())) if isinstance(named, dict) else _("none")
        yield Finding("no-entailment", ("model", "name"), message.format(task=task.name, labels=labels))


def _dimensions(task: Task[Any, Any], folder: ModelFolder) -> Iterator[Finding]:
    """Parts of a vector that are longer than the model's vectors."""
    width = width_of(folder.config)
    asked = max(task.head_options().get("dimensions", ()), default=0)
    if 0 < width < asked:
        message = _("`task.dimensions` asks for {asked} numbers, but the vectors of this model have {size}")
        yield Finding("misfit", ("task", "dimensions"), message.format(asked=asked, size=width))


def _layers(recipe: Recipe, depth: int) -> Iterator[Finding]:
    """More layers to start anew than the model has."""
    again = recipe.model.reinit_layers
    if 0 < depth < again:
        message = _("`model.reinit_layers` is {got}, but the model has {depth} layers").format(got=again, depth=depth)
        yield Finding("misfit", ("model", "reinit_layers"), message)


def uncached(recipe: Recipe, family: str) -> Iterator[Finding]:
    """A cache that is asked for (or left on, as it is by default) and that this model, or recipe, cannot have."""
    options = method_of(recipe)
    if not isinstance(options, CacheOptions) or not (options.cache and options.stepwise) or is_packable(recipe, family):
        return
    if recipe.training.gradient_checkpointing:
        message = _(
            "the frozen layers are not cached with `training.gradient_checkpointing`; every epoch computes them anew"
        )
    else:
        message = _("the frozen layers of the family '{family}' are not cached; every epoch computes them anew").format(
            family=family
        )
    yield Finding("no-cache", ("method", "cache"), message)


def untrained_pooler(recipe: Recipe, task: Task[Any, Any], folder: ModelFolder) -> Iterator[Finding]:
    """A stock head over a pooler that the model lacks, or has had since before it learnt what it knows."""
    if task.pools and recipe.model.head == "stock" and (folder.name in MEAN_POOLED or _lacks_pooler(folder)):
        message = _(
            "the stock head of this model starts with an untrained pooler; `model.head=mean` usually learns faster"
        )
        yield Finding("untrained-pooler", ("model", "head"), message)


def is_embedding_model(folder: ModelFolder) -> bool:
    """Whether the model was trained to give texts vectors that can be compared; by sentence-transformers' own file."""
    return folder.name in MEAN_POOLED or (folder.path / "modules.json").is_file()


def _lacks_pooler(folder: ModelFolder) -> bool:
    wanted = POOLERS.get(folder.family)
    return wanted is not None and not any(name.endswith(wanted) for name in folder.parameters)


def absent_trackers(recipe: Recipe) -> Iterator[Finding]:
    """Trackers whose package is not there."""
    for index, name in enumerate(recipe.tracking.trackers):
        if find_spec(name) is None:
            yield Finding("missing-extra", ("tracking", "trackers", str(index)), str(MissingExtra(name, name)))


def precision_misfits(recipe: Recipe) -> Iterator[Finding]:
    """Mixed precision on a machine that is slow at it."""
    if recipe.training.precision == "bf16" and not FAST_BF16 & cpu_flags():
        message = _(
            "`training.precision: bf16` is many times slower than fp32 on this CPU, "
            "which has no bf16 instructions; use fp32"
        )
        yield Finding("slow-precision", ("training", "precision"), message)
