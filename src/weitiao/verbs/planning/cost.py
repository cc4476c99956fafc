"""What a run costs, as arithmetic: operations, bytes, and the constants they are made of.

Work is counted in floating-point operations of training; what is no arithmetic (the optimiser's memory traffic, a
checkpoint's bytes, the interpreter between layers) is entered as the operations that would take as long, so that one
measured speed turns all of it into seconds.

Notation: T tokens of a row, N tokens of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from weitiao.methods.options import Learning
from weitiao.models.shape import Shape
from weitiao.recipe import TrainingSpec

Lengths = npt.NDArray[np.int64]
NO_ROWS: Lengths = np.zeros(0, dtype=np.int64)

# Measured on two AVX2 cores, where a training step does about 75e9 operations a second.
OPTIMISER = {
    "adamw": 80.0,
    "adam": 80.0,
    "sgd": 40.0,
}  # operations' worth a parameter a step: 1.0 ns of fused update and clipping
AVERAGE = 26.0  # of the running average of the weights: a third of the fused update's time
LAYER_OVERHEAD = 3e7  # a layer and micro-batch: 0.4 ms of kernel launches and autograd
CHECKPOINT_BYTE = 150.0  # 500 MB/s with checksum and fsync
BACKWARD = 2.0  # of forward: the gradient of the input and of the weights
START_SECONDS = 8.0  # imports, reading the weights, splits and audit
REPORT_SECONDS = 4.0  # baselines, bootstrap, pages

MICRO_BATCH_TOKENS = 4096  # training.loop.TOKEN_BUDGET
EVALUATION_TOKENS = 2048  # models.padding.BATCH_TOKENS
PACKED = frozenset(
    {"bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "ernie"}
)  # models.packing.PACKABLE
PACKING_WASTE = 1.03  # models.packing.WORTH_PACKING: padded tokens per real one that packing leaves
POOL_STEPS = 50  # training.batching.POOL_STEPS

BASE_BYTES = 600e6  # interpreter, torch, transformers, tokenizers, and what answering and measuring add
WORD = 4  # bytes of an fp32 number
WIDE_WORD = 8
OPTIMISER_WORDS = {"adamw": 2, "adam": 2, "sgd": 1}  # running means a trained parameter
FRAGMENTATION = 1.2  # what the allocator keeps above what is in use
SAVED_WIDTHS = (
    9  # activations of width `hidden` that a layer saves for its backward pass (Korthikanti et al. 2022, section 4)
)
SAVED_INNERS = 2  # and of the inner width


def trained_parameters(shape: Shape, learning: Learning, classes: int) -> int:
    """Parameters that learn, with a head of `classes` outputs."""
    share = 1 - learning.frozen / shape.depth
    head = shape.hidden * classes + classes
    if learning.own is not None:
        return learning.own + head
    return round(shape.layers * share) + (shape.embeddings if learning.embeddings else 0) + shape.other + head


def forward_work(shape: Shape, lengths: Lengths, layers: float, waste: float = 1.0) -> float:
    """Operations of `layers` layers over such rows: two a parameter and token, and attention's two products."""
    linear = 2.0 * shape.layer * float(lengths.sum()) * waste
    attention = 4.0 * shape.hidden * float(np.square(lengths, dtype=np.float64).sum()) * waste
    return layers * (linear + attention)


def epoch_work(
    shape: Shape, lengths: Lengths, learning: Learning, training: TrainingSpec, waste: float, steps: int
) -> float:
    """Operations of one pass over the training rows in so many steps, without the optimiser."""
    trained = shape.depth - learning.frozen
    backward = BACKWARD if learning.own is None else BACKWARD / 2  # frozen weights have no gradient of their own
    work = forward_work(shape, lengths, trained, waste) * (1 + backward + training.gradient_checkpointing)
    if not learning.cached:
        work += forward_work(shape, lengths, learning.frozen, waste)
    budget = training.token_budget or MICRO_BATCH_TOKENS
    parts = max(steps, float(lengths.sum()) / budget)
    running = trained if learning.cached else shape.depth
    return work + parts * LAYER_OVERHEAD * max(running, 1)


def inference_work(shape: Shape, lengths: Lengths, layers: float) -> float:
    """Operations of answering these rows once."""
    batches = max(1.0, float(lengths.sum()) / EVALUATION_TOKENS)
    return forward_work(shape, lengths, layers, PACKING_WASTE) + batches * layers * LAYER_OVERHEAD / 3


def step_work(trained: int, training: TrainingSpec) -> float:
    """Operations' worth of one update of all trained parameters, and of their average."""
    return (OPTIMISER[training.optimizer] + (AVERAGE if training.ema else 0.0)) * trained


def checkpoint_work(trained: int, training: TrainingSpec) -> float:
    """Operations' worth of writing one checkpoint: what learns, and the optimiser's numbers and the average of it."""
    return CHECKPOINT_BYTE * WORD * _words(training) * trained


def _words(training: TrainingSpec) -> int:
    """Numbers that are kept of a trained parameter: itself, the optimiser's, and its average."""
    return 1 + OPTIMISER_WORDS[training.optimizer] + (training.ema is not None)


def padding(lengths: Lengths, batch_size: int, order: str) -> float:
    """Padded tokens per real token of batches of so many Features."""
    rng = np.random.default_rng(0)
    rows = lengths.copy() if order == "given" else rng.permutation(lengths)
    if order == "grouped":
        pool = batch_size * POOL_STEPS
        rows = np.concatenate([np.sort(rows[start : start + pool]) for start in range(0, len(rows), pool)])
    starts = np.arange(0, len(rows), batch_size)
    longest = np.maximum.reduceat(rows, starts)
    counts = np.diff(np.append(starts, len(rows)))
    return float((longest * counts).sum() / rows.sum())


def peak_bytes(
    shape: Shape,
    learning: Learning,
    training: TrainingSpec,
    lengths: Lengths,
    classes: int,
    together: int,
    copies: int = 1,
) -> float:
    """Largest resident memory of the process; `together` Features make up a step, `copies` passes are held of each."""
    trained = trained_parameters(shape, learning, classes)
    held = WORD * (shape.total + trained * _words(training))
    loading = 2.0 * WORD * shape.total  # the file's pages beside the parameters
    step = np.sort(lengths)[-together:]
    rows = _largest_micro_batch(step, training.token_budget or MICRO_BATCH_TOKENS)
    layers = 1 if training.gradient_checkpointing else max(shape.depth - learning.frozen, 1)
    a_token = WORD * (SAVED_WIDTHS * shape.hidden + SAVED_INNERS * shape.inner)
    attention = WORD * shape.heads * float(np.square(rows, dtype=np.float64).sum())
    activations = copies * layers * (a_token * float(rows.sum()) + attention)
    return BASE_BYTES + max(loading, held + FRAGMENTATION * activations)


def solved_bytes(shape: Shape, rows: int, classes: int) -> float:
    """What solving a head holds beside that: the vectors of all rows in double precision twice, and their logits."""
    return 2.0 * WIDE_WORD * rows * (shape.hidden + 2 * classes)


def _largest_micro_batch(step: Lengths, budget: int) -> Lengths:
    """Rows of the first micro-batch when the longest rows of the data meet in one step."""
    falling = step[::-1]
    inside = max(1, int(np.searchsorted(np.cumsum(falling), budget, side="right")))
    return falling[:inside]


def length_quantiles(lengths: Sequence[int] | Lengths) -> dict[str, int]:
    """Median, 95th percentile and maximum, in tokens."""
    values = np.sort(np.asarray(lengths))
    last = len(values) - 1
    if last < 0:
        return {"p50": 0, "p95": 0, "max": 0}
    return {"p50": int(values[last // 2]), "p95": int(values[int(0.95 * last)]), "max": int(values[last])}
