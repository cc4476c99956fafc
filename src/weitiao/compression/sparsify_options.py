"""Options of `sparsify`, without torch."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from weitiao.compression.base import Facts, StepOptions
from weitiao.messages import _

MEGABYTE = 1_000_000


class SparsifyOptions(StepOptions):
    """The smallest weights of every linear layer become zero: smaller once compressed with zip, not faster."""

    share: float = Field(
        default=0.5, gt=0, lt=1, description="weights of each linear layer of the stack that become zero, the smallest"
    )

    def told(self, facts: Facts) -> Iterator[str]:
        yield _("{zeros} of {weights} weights in {matrices} linear layers are zero ({share}).").format(
            zeros=f"{facts['zeros']:,}",
            weights=f"{facts['weights']:,}",
            matrices=facts["matrices"],
            share=f"{facts['zeros'] / facts['weights']:.1%}",
        )
        yield _(
            "The weights are stored dense: {dense} MB as before, {zipped} MB compressed with zip ({before} MB before). "
            "Zeros are multiplied like other numbers, so it is not faster."
        ).format(
            dense=f"{facts['bytes'] / MEGABYTE:,.1f}",
            zipped=f"{facts['bytes_zip'] / MEGABYTE:,.1f}",
            before=f"{facts['bytes_zip_before'] / MEGABYTE:,.1f}",
        )
