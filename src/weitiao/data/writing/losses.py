"""What a format cannot hold, counted while rows are written, and said in sentences afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from weitiao.messages import ngettext


class Losses:
    """How many spans, relations and texts a format could not hold, and which columns it has no place for."""

    def __init__(self) -> None:
        self.columns: Counter[str] = Counter()
        self.overlapping = 0  # spans that overlap a longer one
        self.widened = 0  # spans that begin or end inside a token
        self.relations = 0
        self.unmarked = 0  # rows without spans, which cannot be told from rows with none
        self.joined = 0  # words that stand where the word before them does
        self.parted = 0  # tokens with a tab or line break inside
        self.spaced = 0  # labels with one
        self.escaped = 0  # cells and texts with half of a surrogate pair, which UTF-8 cannot hold
        self.attributes = 0  # spans with more than a label, such as a role

    def leave(self, columns: Iterable[str]) -> None:
        """Counts columns of one row that are left out."""
        self.columns.update(columns)

    def encodable(self, text: str) -> str:
        """The text as UTF-8 can hold it: half of a surrogate pair as an escape, which is counted."""
        plain = text.encode("utf-8", "backslashreplace").decode()
        self.escaped += plain != text
        return plain

    def sentences(self) -> list[str]:
        """What was lost."""
        found = [
            ngettext(
                "{count} span overlaps a longer one and is left out",
                "{count} spans overlap longer ones and are left out",
                self.overlapping,
            ).format(count=f"{self.overlapping:,}") if self.overlapping else "",
            ngettext(
                "{count} span begins or ends inside a token and now covers all of it",
                "{count} spans begin or end inside tokens and now cover all of them",
                self.widened,
            ).format(count=f"{self.widened:,}") if self.widened else "",
            ngettext(
                "{count} relation is left out", "{count} relations are left out", self.relations
            ).format(count=f"{self.relations:,}") if self.relations else "",
            ngettext(
                "{count} row without annotation reads back as one with no spans",
                "{count} rows without annotation read back as rows with no spans",
                self.unmarked,
            ).format(count=f"{self.unmarked:,}") if self.unmarked else "",
            ngettext(
                "what {count} span has beside its label is left out",
                "what {count} spans have beside their labels is left out",
                self.attributes,
            ).format(count=f"{self.attributes:,}") if self.attributes else "",
            ngettext(
                "{count} word of a contraction is left out, for its line is that of the word before it",
                "{count} words of contractions are left out, for their line is that of the word before them",
                self.joined,
            ).format(count=f"{self.joined:,}") if self.joined else "",
            ngettext(
                "{count} token with a tab or line break inside is written as the tokens around it",
                "{count} tokens with tabs or line breaks inside are written as the tokens around them",
                self.parted,
            ).format(count=f"{self.parted:,}") if self.parted else "",
            ngettext(
                "a tab or line break inside {count} label became a space",
                "tabs or line breaks inside {count} labels became spaces",
                self.spaced,
            ).format(count=f"{self.spaced:,}") if self.spaced else "",
            ngettext(
                "half of a surrogate pair inside {count} cell or text is written as an escape such as \\ud83d",
                "halves of surrogate pairs inside {count} cells or texts are written as escapes such as \\ud83d",
                self.escaped,
            ).format(count=f"{self.escaped:,}") if self.escaped else "",
        ]  # fmt: skip
        for column, count in self.columns.items():
            message = ngettext(
                "the column {column} is left out ({count} row)", "the column {column} is left out ({count} rows)", count
            )
            found.append(message.format(column=column, count=f"{count:,}"))
        return [sentence for sentence in found if sentence]
