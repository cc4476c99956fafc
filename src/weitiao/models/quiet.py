"""transformers without its progress bars and warnings, for the calls that make or write a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import logging as transformers_logging


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars, and its warning that a new head is untrained: training it is what we do."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
