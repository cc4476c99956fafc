"""Lines of other packages that would only unsettle: dropped by their words, so that real warnings are still seen."""

from __future__ import annotations

import logging

import pytest

from weitiao.models.quiet import quiet


def test_the_kernel_that_bitsandbytes_misses_is_not_told_and_other_warnings_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    with quiet():
        pass
    logger.warning("Failed to load CPU gemm_4bit_forward from kernels-community: %s.", "no module")
    logger.warning("quantised weights are broken")
    assert [record.message for record in caplog.records] == ["quantised weights are broken"]
