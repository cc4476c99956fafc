"""The training loop: one, for every task, method and model.

Features, a network and plain settings go in; the network comes out with the weights of its best evaluation on dev, and
a `FitResult` says how it went. A step's loss is a sum and a divisor, so micro-batches, processes and row order change
nothing but rounding. Every random draw of a step is seeded by (seed, step), so a run killed anywhere and resumed ends
bit-identical.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weitiao.errors import Failed, Interrupted, NonFiniteLoss, NothingLearnt, Refused
from weitiao.messages import _
from weitiao.methods.base import Method
from weitiao.metrics import direction
from weitiao.models.batch import collate
from weitiao.models.heads import Loss
from weitiao.models.network import Network
from weitiao.records import Feature
from weitiao.training import checkpoint
from weitiao.training.averaging import Average
from weitiao.training.batching import epoch_steps, micro_batches, steps_per_epoch
from weitiao.training.journal import Journal
from weitiao.training.optimiser import Penalty, clip, gradients, make_optimiser
from weitiao.training.processes import Processes
from weitiao.training.progress import Pace, Progress
from weitiao.training.schedule import factor, warmup_steps
from weitiao.training.terms import FitResult, Hooks, LoopSettings

TOKEN_BUDGET = 4096  # real tokens a micro-batch; above it activations leave the cache and memory grows for nothing


def fit(
    network: Network,
    method: Method,
    features: Sequence[Feature],
    settings: LoopSettings,
    hooks: Hooks,
    *,
    folder: Path,
    log: Path,
) -> FitResult:
    """Fit `network`, to which `method` was applied; go on from the newest intact checkpoint in `folder`, if any.

    Raises:
        NonFiniteLoss: the loss became NaN or infinite; the message names the row and the cause.
        NothingLearnt: a step held no target, and not because no window holds what its rows' gold is.
        Interrupted: `hooks.stop` asked for it; a checkpoint was written.
        Refused: the loss compares all rows of a step, and several processes would share them out.
    """
    return _Fit(network, method, features, settings, hooks, folder, Journal(log)).run()


def total_steps(features: Sequence[Feature], settings: LoopSettings) -> int:
    """Optimiser steps of a whole fit: `epochs`, and no more than `max_steps`."""
    steps = max(1, math.ceil(settings.epochs * steps_per_epoch(features, settings.batch_size)))
    return min(steps, settings.max_steps or steps)


class _Fit:
    """One call of `fit`: the loop's state, and its parts in the order in which they run."""

    def __init__(
        self,
        network: Network,
        method: Method,
        features: Sequence[Feature],
        settings: LoopSettings,
        hooks: Hooks,
        folder: Path,
        journal: Journal,
    ) -> None:
        self.network, self.method, self.features, self.settings, self.hooks = network, method, features, settings, hooks
        self.folder, self.journal = folder, journal
        self.lengths = [len(feature) for feature in features]
        self.teaches = any(feature.targets for feature in features)
        self.lost = {feature.group for feature in features if feature.lost}
        self.epoch_steps = steps_per_epoch(features, settings.batch_size)
        self.total = total_steps(features, settings)
        self.warmup = warmup_steps(settings.warmup, self.total)
        self.processes = Processes.current()
        self._refuse_sharing()
        self.optimiser = make_optimiser(network, settings.optimiser)
        self.penalty = Penalty(network, settings.optimiser)
        self.trained = {name: each for name, each in network.named_parameters() if each.requires_grad}
        self.average = Average(self.trained, settings.ema)
        self.progress = Progress()
        self.saved_step: int | None = None
        self.pace = Pace()

    def _refuse_sharing(self) -> None:
        if self.network.coupled and self.processes.count > 1:
            raise Refused(
                _(
                    "the loss compares all rows of a step with each other, and {count} processes would each see a part "
                    "of them; start one process"
                ).format(count=self.processes.count)
            )

    def run(self) -> FitResult:
        self._resume()
        self.network.train()
        started = time.monotonic() - self.progress.seconds
        while not self._done():
            for rows in self._rest_of_epoch():
                self._step(rows)
                self.progress.seconds = time.monotonic() - started
                self._after_step()
                if self.processes.any(self.hooks.stop()):
                    self._leave()
                if self._done():
                    break
        return self._finish()

    def _done(self) -> bool:
        return bool(self.progress.stopped) or self.progress.step >= self.total

    def _resume(self) -> None:
        path, warnings = checkpoint.newest(self.folder)
        for warning in warnings:
            self._tell(kind="note", text=warning)
        if path is not None:
            tensors, state = checkpoint.load(path)
            self._put_in_place(tensors["weights"])
            checkpoint.restore_moments(self.optimiser, tensors["optimizer"])
            self.method.restore(tensors.get("method", {}))
            self.average.restore(tensors.get("average", {}))
            self.progress = Progress(**{name: state[name] for name in asdict(self.progress)})
            self.saved_step = self.progress.step
            self._tell(
                kind="note",
                text=_("resumed at step {step} of {total}").format(step=self.progress.step, total=self.total),
            )
        if self.processes.is_main:
            self.journal.rewind(self.progress.step)

    @torch.no_grad()
    def _put_in_place(self, weights: Mapping[str, torch.Tensor]) -> None:
        for name, value in weights.items():
            self.trained[name].copy_(value)

    def _rest_of_epoch(self) -> Sequence[list[int]]:
        """The steps of the current epoch that are still to be done."""
        epoch, done = divmod(self.progress.step, self.epoch_steps)
        return epoch_steps(self.features, self.settings.batch_size, self.settings.order, self.settings.seed, epoch)[
            done:
        ]

    def _step(self, rows: Sequence[int]) -> None:
        """One optimiser step over `rows`: accumulate, scale, clip, update; none where all rows are lost."""
        if self.teaches and all(self._is_lost(self.features[row]) for row in rows):
            self._pass_over(rows)
            return
        step, began = self.progress.step, time.monotonic()
        self.method.before_step(self.network, step)
        learning = [parameter for parameter in self.trained.values() if parameter.requires_grad]
        torch.manual_seed(_step_seed(self.settings.seed, step, self.processes.rank))
        rate = factor(self.settings.schedule, step, self.warmup, self.total, self.settings.schedule_power)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        parts = self._parts(rows)
        alone = len(parts) == 1 and self.processes.count == 1
        total, weight = torch.zeros(()), torch.zeros(())
        for part in parts:
            loss = self._loss(part)
            (loss.total / loss.weight if alone and loss.weight > 0 else loss.total).backward()  # type: ignore[no-untyped-call]
            total, weight = total + loss.total.detach(), weight + loss.weight
        total, weight = self.processes.sum(total, weight)
        self._check(float(total), float(weight), rows)
        self.processes.sum_gradients(learning)
        grads = gradients(learning)
        if not alone:
            torch._foreach_div_(grads, float(weight))
        self.penalty.add()
        self.method.add_penalty(self.network)
        norm = clip(grads, self.settings.clip)
        if not math.isfinite(norm):
            raise NonFiniteLoss(self._cause(rows))
        self.optimiser.step()
        self.method.after_step(self.network, step)
        self.average.follow(step)
        self.optimiser.zero_grad(set_to_none=True)
        self.pace.add(sum(self.lengths[row] for row in rows), time.monotonic() - began)
        self._count(rows, float(total / weight), rate)

    def _is_lost(self, feature: Feature) -> bool:
        """Whether it teaches nothing because no window of its record holds the gold, which pre-flight has told."""
        return not feature.targets and feature.group in self.lost

    def _pass_over(self, rows: Sequence[int]) -> None:
        """Count a step of which all rows are lost."""
        self.progress.step += 1
        self.progress.tokens += sum(self.lengths[row] for row in rows)

    def _parts(self, rows: Sequence[int]) -> list[list[int]]:
        """The micro-batches of this process; all rows at once, in their order, where the loss compares them."""
        if self.network.coupled:
            return [list(rows)]
        budget = self.settings.token_budget or TOKEN_BUDGET
        return list(micro_batches(self.processes.share(rows), self.lengths, budget))

    def _loss(self, part: Sequence[int]) -> Loss:
        batch = collate([self.features[row] for row in part], self.network.spec.pad_id, part)
        if self.hooks.frozen is not None:
            batch = replace(batch, frozen=self.hooks.frozen(part))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bf16):
            return self.hooks.objective(self.network, batch)

    def _check(self, total: float, weight: float, rows: Sequence[int]) -> None:
        if weight == 0:
            raise NothingLearnt(
                _(
                    "step {step}: no row of the step has a target to learn from ({rows}); "
                    "check the labels of these rows"
                ).format(step=self.progress.step + 1, rows=self._names(rows))
            )
        if not math.isfinite(total):
            raise NonFiniteLoss(self._cause(rows))

    def _cause(self, rows: Sequence[int]) -> str:
        """Why the loss is not finite: weights that blew up before, or the first row whose own loss is not finite."""
        step = self.progress.step + 1
        broken = [name for name, value in self.network.named_parameters() if not torch.isfinite(value).all()]
        if broken:
            return _(
                "step {step}: the loss is not finite, because the weights are not ({name}); "
                "lower training.learning_rate ({rate:g}), or set training.clip"
            ).format(step=step, name=broken[0], rate=self.settings.optimiser.learning_rate)
        with torch.no_grad():
            for row in rows:
                if not math.isfinite(float(self._loss([row]).total.detach())):
                    return _(
                        "step {step}: {place}: the loss of this row is not finite; "
                        "look at its text, and lower training.learning_rate ({rate:g})"
                    ).format(step=step, place=self.hooks.describe(row), rate=self.settings.optimiser.learning_rate)
        return _("step {step}: the gradient is not finite ({rows}); lower training.learning_rate ({rate:g})").format(
            step=step, rows=self._names(rows), rate=self.settings.optimiser.learning_rate
        )

    def _names(self, rows: Sequence[int]) -> str:
        names = ", ".join(self.hooks.describe(row) for row in rows[:3])
        return names + (", ..." if len(rows) > 3 else "")

    def _count(self, rows: Sequence[int], loss: float, rate: float) -> None:
        progress = self.progress
        progress.step += 1
        tokens = sum(self.lengths[row] for row in rows)
        progress.tokens += tokens
        progress.loss_sum += loss
        progress.loss_steps += 1
        self._log(
            step=progress.step,
            epoch=self._epoch(),
            loss=loss,
            learning_rate=self.settings.optimiser.learning_rate * rate,
            tokens=tokens,
        )
        self._tell(
            kind="step", step=progress.step, steps=self.total, epoch=self._epoch(), loss=loss,
            learning_rate=self.settings.optimiser.learning_rate * rate, tokens_per_second=self.pace.tokens_per_second,
        )  # fmt: skip

    def _after_step(self) -> None:
        """Evaluate, checkpoint and stop where it is due."""
        settings, progress = self.settings, self.progress
        if settings.max_minutes is not None and self.processes.any(progress.seconds >= 60 * settings.max_minutes):
            progress.stopped = "max_minutes"
        due = progress.step % (settings.evaluate_every or self.epoch_steps) == 0
        saving = bool(settings.checkpoint_every) and progress.step % (settings.checkpoint_every or 1) == 0
        if due or self._done():
            self._evaluate()
            saving = saving or settings.checkpoint_epochs
        if saving:
            self._save()

    def _evaluate(self) -> None:
        progress = self.progress
        entry: dict[str, Any] = {
            "step": progress.step,
            "epoch": self._epoch(),
            "train_loss": progress.loss_sum / max(1, progress.loss_steps),
        }
        progress.loss_sum, progress.loss_steps = 0.0, 0
        if self.hooks.evaluate is not None:
            with self.average.in_place():
                entry["dev"] = dict(self.hooks.evaluate())
            self._judge(entry["dev"])
        progress.history.append(entry)
        self._log(**entry)
        self._tell(kind="evaluation", metric=self.settings.metric, **entry)

    def _judge(self, dev: Mapping[str, float]) -> None:
        """Once the method is formed: keep the best evaluation (the earlier of equals) and see whether to stop."""
        progress, settings = self.progress, self.settings
        if settings.metric not in dev:
            raise Failed(
                _("the evaluation gives no metric '{name}'; it gives: {names}").format(
                    name=settings.metric, names=", ".join(dev)
                )
            )
        if not self.method.formed and not self._done():
            return
        score, better = dev[settings.metric], direction(settings.metric)
        if progress.best is None or better * score > better * progress.best:
            progress.best, progress.best_step, progress.without_gain = score, progress.step, 0
        else:
            progress.without_gain += 1
        if settings.stop_at is not None and better * score >= better * settings.stop_at:
            progress.stopped = "stop_at"
        elif settings.patience is not None and progress.without_gain >= settings.patience:
            progress.stopped = "patience"

    def _save(self) -> None:
        if self.processes.is_main:
            tensors = {
                "weights": {name: each.detach().contiguous() for name, each in self.trained.items()},
                "optimizer": checkpoint.moments(self.optimiser),
                "method": self.method.state(),
                "average": {name: each.contiguous() for name, each in self.average.values.items()},
            }
            checkpoint.save(self.folder, tensors, asdict(self.progress))
            checkpoint.prune(self.folder, self.settings.keep_checkpoints, self.progress.best_step)
        self.saved_step = self.progress.step
        self.processes.wait()

    def _leave(self) -> None:
        if self.saved_step != self.progress.step:
            self._save()
        raise Interrupted(
            _("interrupted at step {step} of {total}; the run is saved").format(
                step=self.progress.step, total=self.total
            )
        )

    def _finish(self) -> FitResult:
        """Put the best weights, or their average, in place."""
        progress = self.progress
        if not self.method.formed:
            message = _("step {step}: training ended before the method had come to its final form; train longer")
            self._tell(kind="note", text=message.format(step=progress.step))
        self.average.swap()
        if progress.best_step is not None and progress.best_step != progress.step:
            path = checkpoint.at_step(self.folder, progress.best_step)
            reason = checkpoint.fault(path)
            if reason:
                self._tell(
                    kind="note",
                    text=_("{path}: {reason}; the last weights are kept instead").format(path=path, reason=reason),
                )
                progress.best_step = progress.step
            else:
                tensors, _state = checkpoint.load(path)
                self._put_in_place(tensors.get("average") or tensors["weights"])
                self.method.restore(tensors.get("method", {}))
        self.network.eval()
        return FitResult(
            progress.step,
            self._epoch(),
            progress.seconds,
            progress.tokens,
            progress.best_step,
            progress.history,
            progress.stopped,
        )

    def _epoch(self) -> float:
        return round(self.progress.step / self.epoch_steps, 4)

    def _log(self, **entry: Any) -> None:
        if self.processes.is_main:
            self.journal.write(entry)

    def _tell(self, **event: Any) -> None:
        if self.processes.is_main:
            self.hooks.on_event(event)


def _step_seed(seed: int, step: int, rank: int) -> int:
    """A seed for the draws of one step in one process."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0] >> 1)
