"""One process or several (torchrun, accelerate launch): who takes which rows, and sums over all of them.

Each process takes its share of a step's rows; gradients are summed, not averaged, and divided by the summed divisor, so
the result is that of one process whatever the shares.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn

LONGEST_WAIT = timedelta(days=2)  # until a process that waits for another gives up


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among its peers.

    Args:
        rank: this process, from 0.
        count: all processes.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> Processes:
        """As the launcher says; joins the process group on first use."""
        if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
            return cls()
        from accelerate import PartialState

        # tensors are on the CPU, whatever else the machine has; the first process may measure or fill a cache for long
        state = PartialState(cpu=True, timeout=LONGEST_WAIT)
        return cls(state.process_index, state.num_processes)

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def share(self, rows: Sequence[int]) -> list[int]:
        """The rows of a step that this process takes."""
        return list(rows[self.rank :: self.count])

    def sum(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Sums over all processes."""
        if self.count > 1:
            for value in values:
                torch.distributed.all_reduce(value)
        return values

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process, so that all decide alike."""
        return flag if self.count == 1 else bool(self.sum(torch.tensor(float(flag)))[0] > 0)

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Sum `.grad` over all processes, as one flat message."""
        if self.count == 1:
            return
        grads = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
        flat = torch.cat([grad.flatten() for grad in grads])
        torch.distributed.all_reduce(flat)
        parts = torch.split(flat, [grad.numel() for grad in grads])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            torch.distributed.barrier()
