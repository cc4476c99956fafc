"""Training: batching, one loop, objectives, optimiser, schedule, checkpoints, trackers. `loop.fit` is the door.

`OBJECTIVE_OPTIONS` (options.py) is what recipes, schema and plan read without torch; `OBJECTIVES` are the objectives
themselves: callables of network and batch that give a `Loss`.
"""

from __future__ import annotations

from weitiao.tables import Table
from weitiao.training.options import OBJECTIVE_OPTIONS, ObjectiveOptions

__all__ = ["OBJECTIVES", "OBJECTIVE_OPTIONS", "ObjectiveOptions"]

OBJECTIVES = Table(
    "objective",
    {
        "plain": "weitiao.training.objectives:Plain",
        "rdrop": "weitiao.training.objectives:RDrop",
        "fgm": "weitiao.training.objectives:FGM",
        "lwf": "weitiao.training.objectives:LwF",
    },
)
