"""What every writer must do: inherit, and say which one, how its files are read and what rows it gives back whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from weitiao.data.reading import read_rows
from weitiao.data.writing import WRITERS, InnerRow, Writer

PETER = {"text": "Peter met Ann", "spans": [{"start": 0, "end": 5, "label": "PER", "text": "Peter"}]}
EMOJI = {"text": "👨🏻 Ann", "spans": [{"start": 3, "end": 6, "label": "PER", "text": "Ann"}]}


class WriterContract:
    """The tests of the seam `weitiao.data.writing.Writer`."""

    name: ClassVar[str]
    format: ClassVar[str]
    rows: ClassVar[list[dict[str, Any]]] = [PETER, EMOJI]

    @property
    def writer(self) -> Writer:
        made: Writer = WRITERS[self.name]()
        return made

    def given(self) -> list[InnerRow]:
        """The rows as the writer gets them."""
        return list(self.rows)

    def read(self, path: Path) -> list[Mapping[str, Any]]:
        reading = read_rows(str(path), format=self.format)
        assert not [row.problem for row in reading.rows if row.problem]
        return [row.fields for row in reading.rows]

    def test_is_documented_and_in_the_table(self) -> None:
        assert type(self.writer).__doc__

    def test_what_is_read_back_is_what_was_written(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        assert self.writer.write(self.given(), path) == []
        for row, given in zip(self.read(path), self.rows, strict=True):
            assert {key: row[key] for key in given} == given

    def test_answers_do_not_depend_on_the_run(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            self.writer.write(self.given(), tmp_path / name)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_a_file_is_written_whole_or_not_at_all(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        path.write_text("before", "utf-8")

        def broken() -> Iterator[InnerRow]:
            yield self.given()[0]
            raise KeyError("broken")

        with pytest.raises(KeyError, match="broken"):
            self.writer.write(broken(), path)
        assert [each.name for each in tmp_path.iterdir()] == ["out"]
        assert path.read_text("utf-8") == "before"
