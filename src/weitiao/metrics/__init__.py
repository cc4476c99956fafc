"""Pure functions on plain values: classification and calibration; no torch, no files.

A metric is a sum of counts over rows and a value of that sum, so that a bootstrap interval is a matter of resampling
sums.
"""

from __future__ import annotations

from typing import Any, Protocol

from weitiao.records import FloatArray


class Metric(Protocol):
    """A number over predictions, in a form that can be resampled: sums of counts, then a value."""

    name: str

    def counts(self, prediction: Any, record: Any) -> FloatArray:
        """What one row contributes, [K]."""
        ...

    def value(self, total: FloatArray) -> FloatArray:
        """The metric of summed counts: [..., K] -> [...]; higher is better."""
        ...
