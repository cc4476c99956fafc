"""Parquet: through PyArrow, which is imported only here."""

from __future__ import annotations

from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, plain, refusal
from weitiao.messages import _
from weitiao.records import Row


class Parquet:
    """A Parquet file; the line of a message is the row's number."""

    def sniff(self, source: Source) -> float:
        return 0.9 if source.suffix == ".parquet" or source.data.startswith(b"PAR1") else 0.0

    def read(self, source: Source, _options: ReadOptions) -> Reading:
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        try:
            table = pq.ParquetFile(pa.BufferReader(source.data)).read()  # `read_table` imports a second too much
        except (pa.ArrowException, OSError) as error:
            message = _("not a parquet file that can be read ({reason})").format(reason=str(error).splitlines()[0])
            raise refusal("bad-parquet", message, source.name) from error
        if not table.num_rows:
            raise refusal("empty-file", _("the file holds no rows"), source.name)
        names = [str(name) for name in table.column_names]
        columns = [[plain(value) for value in column.to_pylist()] for column in table.columns]
        rows = [
            Row(dict(zip(names, cells, strict=True)), source.name, number)
            for number, cells in enumerate(zip(*columns, strict=True), start=1)
        ]
        return Reading(FileReading(source.name, source.sha256, "parquet", len(rows)), names, rows)
