"""One recipe, fitted by our loop or by `transformers.Trainer`, from the same saved folder and the same token ids.

Both sides report each step's loss, the moment it ended, and its real and padded tokens. What Trainer does without
being asked (logging, saving, evaluating, progress bars, memory metrics) is off, and it reads plain lists: no data set
is faster.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig
from transformers.utils import logging as transformers_logging

import corpora
import machine
from spread import SIDES
from weitiao.methods import METHOD_OPTIONS, METHODS
from weitiao.methods.frozen_cache import FrozenCache
from weitiao.models.batch import Batch, collate
from weitiao.models.heads import Loss
from weitiao.models.inference import infer
from weitiao.models.network import Network, NetworkSpec, build
from weitiao.models.padding import batches_by_length
from weitiao.models.starters import prepare
from weitiao.records import Feature
from weitiao.tasks.classify import Classify
from weitiao.text import load_tokenizer
from weitiao.training.loop import fit, total_steps
from weitiao.training.optimiser import OptimiserSpec
from weitiao.training.terms import Hooks, LoopSettings

HEAD_SEED = 17
Order = Literal["given", "random", "grouped"]
HEADS = {  # task -> transformers' class and the collator that pads its rows
    "classify": ("AutoModelForSequenceClassification", "DataCollatorWithPadding"),
    "tag": ("AutoModelForTokenClassification", "DataCollatorForTokenClassification"),
    "answer": ("AutoModelForQuestionAnswering", "DataCollatorWithPadding"),
}
TARGETS = {"labels": "labels", "start": "start_positions", "end": "end_positions"}  # ours -> transformers'
DISTURBED = 0.15  # cores that others may use while a side is timed
SAMPLERS = {"given": "sequential", "random": "random", "grouped": "group_by_length"}

transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class FitSpec:
    """A recipe in plain values; AdamW, linear schedule, weight decay 0.01 (not on biases and norms), clipping at 1.

    Args:
        epochs: passes over the rows, unless `steps` says when to stop.
        order: of the rows; 'grouped' is each side's own length grouping.
        pad_to_longest: Trainer only: every row padded to the longest of the set, as the tutorials do.
        dropout: rate everywhere; None for what the config says, 0.1 in both starters.
        precision: of the weights and of all arithmetic.
        epsilon: AdamW's.
        task: entry of `HEADS`.
        head: 'mean' only with our loop.
        method, options: of our loop.
    """

    epochs: float = 2.0
    steps: int | None = None
    batch_size: int = 32
    learning_rate: float = 1e-4
    warmup: float = 0.1
    order: Order = "random"
    pad_to_longest: bool = False
    dropout: float | None = None
    precision: Literal["float32", "float64"] = "float32"
    epsilon: float = 1e-8
    seed: int = 0
    task: str = "classify"
    head: Literal["stock", "mean"] = "stock"
    method: str = "full"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Fitted:
    """What came out of a fit.

    Args:
        model: ours or transformers', in evaluation mode.
        losses, tokens, padded: of each step.
        ended: seconds from the start of the first step to the end of each.
        prepared: seconds before the first step that belong to the recipe, such as filling the frozen cache.
    """

    model: Any
    losses: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    padded: list[int] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    prepared: float = 0.0

    @property
    def seconds(self) -> float:
        """From nothing to the last step's end."""
        return self.prepared + self.ended[-1]

    @property
    def tokens_per_second(self) -> float:
        """Real tokens."""
        return sum(self.tokens) / self.seconds


@dataclass(frozen=True, slots=True)
class Texts:
    """Encoded rows to fit and to score on."""

    train: Sequence[Feature]
    test: Sequence[Feature]
    labels: Sequence[str]


def save_start(corpus: corpora.Corpus, workspace: Path) -> None:
    """Save the starter with a fresh stock head and its tokenizer, so that both sides start from the same bytes."""
    save_folder(corpus.starter, len(corpus.labels), start_of(corpus.name, workspace))


def save_folder(starter: str, outputs: int, folder: Path, task: str = "classify") -> None:
    """A starter with a fresh stock head of a task."""
    source = str(prepare(starter))
    torch.manual_seed(HEAD_SEED)
    model = getattr(transformers, HEADS[task][0]).from_pretrained(source, num_labels=outputs)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)


def start_of(name: str, workspace: Path) -> Path:
    """Where `save_start` puts the folder of a corpus."""
    return workspace / f"start-{name}"


def encode(corpus: corpora.Corpus, start: Path, rows: int | None, seed: int, test_rows: int | None = None) -> Texts:
    """A seeded sample of the training rows, and the first rows of the test part."""
    tokenizer = load_tokenizer(start)
    train = corpus.train if rows is None else corpus.sample(rows, seed)
    parts = (train, corpus.test[:test_rows])
    encoded = [Classify().encode(part, tokenizer, corpus.labels, corpus.max_length) for part in parts]
    return Texts(encoded[0], encoded[1], corpus.labels)


def fresh(workspace: Path) -> Path:
    """A new folder for a fit: one that finds checkpoints goes on from them."""
    return Path(tempfile.mkdtemp(prefix="fit-", dir=workspace))


def fit_ours(start: Path, texts: Texts, spec: FitSpec, folder: Path) -> Fitted:
    """Our loop, without evaluations on the way; `folder` takes its log and its last checkpoint."""
    torch.manual_seed(spec.seed)
    network = build(start, NetworkSpec(spec.task, spec.head, texts.labels, dropout=spec.dropout))
    network.to(getattr(torch, spec.precision))
    fitted = Fitted(network)
    settings = _settings(spec, len(texts.train))
    method = METHODS[spec.method](METHOD_OPTIONS[spec.method](**spec.options))
    began = time.perf_counter()
    method.apply(network, total_steps(texts.train, settings))
    frozen = None if method.cache is None else FrozenCache(network, texts.train, folder / "frozen.bin", method.cache)
    fitted.prepared = time.perf_counter() - began if frozen else 0.0
    steps = _Steps(fitted, time.perf_counter())
    hooks = Hooks(frozen=frozen, on_event=steps.note, objective=steps.loss)
    fit(network, method, texts.train, settings, hooks, folder=folder / "checkpoints", log=folder / "log")
    return fitted


def fit_side(system: str, start: Path, texts: Texts, spec: FitSpec, workspace: Path) -> Fitted:
    """A fit by 'trainer' or 'ours', with nothing of an earlier one in memory."""
    gc.collect()
    if system == "trainer":
        return fit_trainer(start, texts, spec, workspace / "trainer")
    return fit_ours(start, texts, spec, fresh(workspace))


def time_sides(start: Path, texts: Texts, spec: FitSpec, workspace: Path, first: str) -> dict[str, Any]:
    """Both sides once, after a step each to warm up: real tokens a second, and whether somebody disturbed."""
    names = sorted(SIDES, key=lambda name: name != first)
    for name in names:
        fit_side(name, start, texts, replace(spec, steps=1), workspace)
    measured = {}
    for name in names:
        with machine.watch() as seen:
            fitted = fit_side(name, start, texts, spec, workspace)
        measured[name] = {"tokens_per_second": fitted.tokens_per_second, "disturbed": seen.disturbed(DISTURBED)}
    return {"systems": measured, "disturbed": any(each["disturbed"] for each in measured.values())}


def peak_of_side(system: str, start: Path, texts: Texts, spec: FitSpec, workspace: Path) -> dict[str, Any]:
    """Peak resident memory of this process over ten steps of one side, the longest rows among them."""
    train, size = sorted(texts.train, key=len, reverse=True), spec.batch_size
    rows = train[:size] + train[size :: max(1, len(train) // (9 * size))]
    fit_side(system, start, replace(texts, train=rows[: 10 * size]), replace(spec, epochs=1), workspace)
    return {"peak_mb": machine.peak_mb()}


def fit_sample(settings: Mapping[str, Any], start: Path, folder: Path, **spec: Any) -> tuple[Fitted, Texts]:
    """Fit our loop on a seeded sample of a corpus.

    Args:
        settings: corpus, rows, test_rows, seed, epochs and learning_rate of a cell.
        spec: what else `FitSpec` takes.
    """
    texts = encode(corpora.load(settings["corpus"]), start, settings["rows"], settings["seed"], settings["test_rows"])
    whole = FitSpec(
        epochs=settings["epochs"], learning_rate=settings["learning_rate"], seed=settings["seed"], order="grouped",
        **spec,
    )  # fmt: skip
    return fit_ours(start, texts, whole, folder), texts


class _Steps:
    """Notes the steps of our loop; a step may come in several micro-batches."""

    def __init__(self, fitted: Fitted, started: float) -> None:
        self.fitted, self.started = fitted, started
        self.tokens = 0

    def loss(self, network: Network, batch: Batch) -> Loss:
        self.tokens += batch.tokens
        return network.loss(batch)

    def note(self, event: dict[str, Any]) -> None:
        if event["kind"] == "step":
            self.fitted.ended.append(time.perf_counter() - self.started)
            self.fitted.losses.append(event["loss"])
            self.fitted.tokens.append(self.tokens)
            self.fitted.padded.append(self.tokens)  # packed: no padding
            self.tokens = 0


def _settings(spec: FitSpec, rows: int) -> LoopSettings:
    return LoopSettings(
        epochs=spec.epochs if spec.steps is None else spec.steps,  # as Trainer: the steps alone decide
        max_steps=spec.steps,
        batch_size=spec.batch_size,
        order=spec.order,
        warmup=spec.warmup,
        seed=spec.seed,
        evaluate_every=10 * rows,
        optimiser=OptimiserSpec(learning_rate=spec.learning_rate, epsilon=spec.epsilon),
    )


def fit_trainer(start: Path, texts: Texts, spec: FitSpec, folder: Path) -> Fitted:
    """`transformers.Trainer`, timed from the start of its training loop."""
    from transformers import PrinterCallback, Trainer, TrainerCallback

    fitted = Fitted(None)
    clock = {"started": 0.0}

    class Timed(Trainer):
        def training_step(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
            mask = inputs["attention_mask"]
            loss = super().training_step(model, inputs, *rest, **named)
            fitted.losses.append(float(loss))
            fitted.tokens.append(int(mask.sum()))
            fitted.padded.append(mask.numel())
            return loss

    class Clock(TrainerCallback):
        def on_train_begin(self, *_arguments: Any, **_named: Any) -> None:
            clock["started"] = time.perf_counter()

        def on_step_end(self, *_arguments: Any, **_named: Any) -> None:
            fitted.ended.append(time.perf_counter() - clock["started"])

    auto, collator = (getattr(transformers, name) for name in HEADS[spec.task])
    model = auto.from_pretrained(start, config=_config(start, spec))
    model.to(getattr(torch, spec.precision))
    tokenizer = AutoTokenizer.from_pretrained(start)
    trainer = Timed(
        model=model,
        args=_arguments(spec, folder),
        train_dataset=_rows(texts.train, tokenizer.pad_token_id if spec.pad_to_longest else None),
        data_collator=collator(tokenizer),
        callbacks=[Clock()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    fitted.model = model.eval()
    return fitted


def _config(start: Path, spec: FitSpec) -> PretrainedConfig:
    config: PretrainedConfig = AutoConfig.from_pretrained(start)
    if spec.dropout is not None:
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"):
            setattr(config, name, spec.dropout)
    return config


def _arguments(spec: FitSpec, folder: Path) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=spec.epochs,
        max_steps=spec.steps or -1,
        per_device_train_batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        adam_epsilon=spec.epsilon,
        warmup_steps=spec.warmup,  # below 1 it is a share of the steps, as ours
        weight_decay=0.01,
        max_grad_norm=1.0,
        lr_scheduler_type="linear",
        optim="adamw_torch_fused",
        train_sampling_strategy=SAMPLERS[spec.order],
        seed=spec.seed,
        use_cpu=True,
        dataloader_pin_memory=False,
        report_to="none",
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        disable_tqdm=True,
    )


def _rows(features: Iterable[Feature], pad_id: int | None) -> list[dict[str, Any]]:
    """The same ids as ours, as lists; padded to the longest of all where `pad_id` is given."""
    rows = []
    for feature in features:
        row: dict[str, Any] = {"input_ids": feature.input_ids.tolist(), "attention_mask": [1] * len(feature)}
        if feature.token_type_ids is not None:
            row["token_type_ids"] = feature.token_type_ids.tolist()
        rows.append({**row, **{TARGETS[name]: target.tolist() for name, target in feature.targets.items()}})
    longest = max(len(row["input_ids"]) for row in rows)
    if pad_id is not None:
        for row in rows:
            for name, fill in (("input_ids", pad_id), ("attention_mask", 0), ("token_type_ids", 0)):
                if name in row:
                    row[name] += [fill] * (longest - len(row[name]))
    return rows


def correct(model: Any, test: Sequence[Feature]) -> str:
    """For each test row 1 or 0: whether the model's likeliest class is the gold one."""
    if isinstance(model, Network):
        logits = [each["logits"] for each in infer(model, test)]
    else:
        logits = plain_logits(model, test)
    return "".join(
        "1" if int(np.argmax(row)) == int(feature.targets["labels"]) else "0"
        for row, feature in zip(logits, test, strict=True)
    )


def plain_logits(model: Any, test: Sequence[Feature]) -> list[Any]:
    """Logits of a transformers model in row order, by padded batches and nothing else of ours."""
    logits: list[Any] = [None] * len(test)
    with torch.inference_mode():
        for rows in batches_by_length([len(feature) for feature in test], 2048):
            batch = collate([test[row] for row in rows], model.config.pad_token_id or 0)
            for row, answer in zip(rows, model(**batch.inputs).logits.numpy(), strict=True):
                logits[row] = answer
    return logits


def flops(config: PretrainedConfig, lengths: Iterable[int], *, frozen: int = 0, epochs: float = 1) -> float:
    """Floating-point operations that training on rows of these lengths takes, padding not counted.

    A layer's forward pass takes 2 * (4 H^2 + 2 H F) operations a token in its linear maps and 4 L H in attention over L
    tokens; the backward pass takes twice the forward one. Frozen layers run forward, and once only; the lowest layer
    above them hands no gradient down through its query, key and value maps. Embeddings, norms, dropout, pooler and head
    are left out.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    sizes = np.asarray(list(lengths), dtype=np.float64)
    layer = float((sizes * 2 * (4 * hidden**2 + 2 * hidden * inner) + 4 * sizes**2 * hidden).sum())
    spared = float(sizes.sum()) * 6 * hidden**2 if frozen else 0.0
    return frozen * layer + epochs * (3 * (config.num_hidden_layers - frozen) * layer - spared)
