"""The telemetry of optional dependencies, switched off before they are imported, and after, where they already were.

Nothing is imported here: the switches are environment variables, which the libraries read on import. A user who wants
to be counted by them can import them without weitiao.
"""

from __future__ import annotations

import os
import sys

SWITCHES = {
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, and through it transformers, datasets and accelerate
    "DISABLE_TELEMETRY": "1",  # their older name for it
    "DO_NOT_TRACK": "1",  # the name that many libraries agree on
    "MLFLOW_DISABLE_TELEMETRY": "true",  # MLflow reads the name before only where it says true
    "WANDB_ERROR_REPORTING": "false",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # datasets: counts each data set that is loaded from its cache
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray: reports what a cluster is used for
}
HUB = "huggingface_hub.constants"


def silence() -> None:
    """Switch telemetry off in this process and in those that it starts."""
    os.environ.update(SWITCHES)
    constants = sys.modules.get(HUB)
    if constants is not None:
        vars(constants)["HF_HUB_DISABLE_TELEMETRY"] = True
