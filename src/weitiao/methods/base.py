"""What every method inherits: the moments at which training asks it something, and that it does nothing at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weitiao.models.network import Network
from weitiao.records import Feature


@dataclass(frozen=True, slots=True)
class PeftLayout:
    """An adapter as PEFT writes it.

    Args:
        config: adapter_config.json.
        tensors: adapter_model.safetensors.
    """

    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


class Method:
    """Which parameters learn, and how; built as `METHODS[name](options)`.

    Attributes:
        cache: how the output of the frozen layers may be kept; None when nothing is frozen or it is not wanted.
    """

    cache: str | None = None

    def __init__(self, options: Any) -> None:
        self.options = options

    def apply(self, network: Network, total_steps: int) -> None:
        """Set `requires_grad` on all that will ever learn; insert what the method adds.

        Also `network.frozen_below` and `network.frozen_modules`, where a lower part stands still throughout.
        """
        raise NotImplementedError

    def settle(self, network: Network, features: Sequence[Feature], stop: Callable[[], bool] = lambda: False) -> None:
        """Find what learns in one go; asked instead of any step where `options.stepwise` is false.

        Raises:
            Interrupted: `stop`, to be asked now and then, said that a signal asks to leave.
        """
        raise NotImplementedError

    def before_step(self, network: Network, step: int) -> None:
        """Called before step `step`, from 0, and before the first one after resuming."""

    def add_penalty(self, network: Network) -> None:
        """Add the gradients of the method's own penalty to `.grad`; called once a step, however it is split."""

    def after_step(self, network: Network, step: int) -> None:
        """Called after the optimiser's step, before the gradients are cleared."""

    @property
    def formed(self) -> bool:
        """Whether the model has the form by now that it is to end with; before, no evaluation chooses or ends a fit."""
        return True

    def state(self) -> Mapping[str, Tensor]:
        """What a checkpoint keeps beside the weights, so that a resumed run is the same run."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""

    def adapter(self, network: Network) -> Mapping[str, Tensor]:
        """What differs from the base, by name: what learns, the head, and what was inserted."""
        new = network.head_parameters() | network.inserted
        return {
            name: each.detach().contiguous()
            for name, each in network.named_parameters()
            if each.requires_grad or name in new
        }

    def peft_layout(self, network: Network) -> PeftLayout | None:  # noqa: ARG002
        """The same as PEFT writes it, to be put on the base in plain transformers; None where that cannot be."""
        return None

    def ready(self, network: Network) -> None:
        """Make a fresh base ready for `adopt`."""
        self.apply(network, 1)

    def adopt(self, network: Network, tensors: Mapping[str, Tensor]) -> None:
        """Put what `adapter` gave into a fresh base that was made ready."""
        with torch.no_grad():
            for name, value in tensors.items():
                network.get_parameter(name).copy_(value)

    def finish(self, network: Network) -> None:
        """Fold what was learnt into the base weights, where the method can; called once, on the best weights."""

    @property
    def folds(self) -> bool:
        """Whether there is anything to fold."""
        return type(self).finish is not Method.finish

    def facts(self, network: Network) -> Mapping[str, Any]:  # noqa: ARG002
        """What the method settled by itself, as JSON for the report, such as AdaLoRA's final ranks."""
        return {}
