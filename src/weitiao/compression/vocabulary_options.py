"""Options of `vocabulary`, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from weitiao.compression.base import Facts, StepOptions
from weitiao.messages import _


class VocabularyOptions(StepOptions):
    """Fewer pieces, so a smaller table of word embeddings; texts made of the kept pieces are answered as before."""

    exact: ClassVar[bool] = True
    bound: ClassVar[float] = 1e-5
    keep: Literal["texts", "scripts"] = Field(
        default="texts",
        description="texts: the pieces that the training rows and --texts use; scripts: all pieces of their scripts",
    )
    characters: Literal["all", "seen"] = Field(
        default="all",
        description="pieces of one character: all that the model has, so that no text gets unknown, or those seen",
    )

    def told(self, facts: Facts) -> Iterator[str]:
        yield _("{after} of {before} pieces are kept; the weights take {now} MB instead of {then} MB.").format(
            after=f"{facts['pieces']:,}",
            before=f"{facts['pieces_before']:,}",
            now=f"{facts['bytes'] / 1e6:,.1f}",
            then=f"{facts['bytes_before'] / 1e6:,.1f}",
        )
        fresh = facts.get("fresh")
        if fresh:
            yield _(
                "Other texts may be cut differently: of the {texts} texts of {split}, which chose no piece, {same} are "
                "cut as before; tokens {tokens}, unknown tokens {unknown} instead of {unknown_before}."
            ).format(
                same=f"{fresh['same']:.1%}",
                texts=fresh["texts"],
                split=fresh["split"],
                tokens=f"{fresh['tokens']:+.2%}",
                unknown=f"{fresh['unknown']:.3%}",
                unknown_before=f"{fresh['unknown_before']:.3%}",
            )
