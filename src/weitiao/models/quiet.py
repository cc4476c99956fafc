"""transformers without its progress bars and warnings, for the calls that make or write a model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from transformers import logging as transformers_logging

# PEFT imports bitsandbytes, which on a CPU with bf16 instructions warns that a kernel from a hub was not fetched; our
# 4-bit layers compute in fp32, and never ask for it.
KERNELS, KERNEL = logging.getLogger("bitsandbytes.backends.cpu.ops"), "gemm_4bit_forward"


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars, and its warning that a new head is untrained: training it is what we do.

    What is opened here may be given PEFT's layers, so bitsandbytes' one warning is dropped from now on.
    """
    KERNELS.addFilter(_is_no_missing_kernel)
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _is_no_missing_kernel(record: logging.LogRecord) -> bool:
    return KERNEL not in str(record.msg)
