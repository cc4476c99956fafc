"""Workbooks (.xlsx, .xls, .ods through calamine): one sheet, its cells as they are shown."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

from weitiao.data.reading.header import choose_header
from weitiao.data.reading.source import ZIP, FileReading, Reading, ReadOptions, Source, plain, refusal
from weitiao.messages import _
from weitiao.records import Row
from weitiao.tables import did_you_mean


class Xlsx:
    """One sheet of a workbook (.xlsx, .xls, .xlsm, .xlsb, .ods), its cells as they are shown.

    `line` is the row's number in the sheet.
    """

    def sniff(self, source: Source) -> float:
        return 0.9 if source.suffix in (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods") else 0.0

    def read(self, source: Source, options: ReadOptions) -> Reading:
        try:
            book = CalamineWorkbook.from_filelike(io.BytesIO(source.data))
        except (CalamineError, OSError, ValueError) as error:
            if source.data.startswith(ZIP) and not zipfile.is_zipfile(io.BytesIO(source.data)):
                message = _("begins as a zip or an xlsx file does, but ends too early; copy or download it again")
                raise refusal("cut-file", message, source.name) from error
            message = _("not a workbook that can be read ({reason})").format(reason=str(error).splitlines()[0])
            raise refusal("bad-workbook", message, source.name) from error
        sheet = _sheet(book, options.sheet, source.name)
        table = _table(book, sheet)
        if not table:
            raise refusal("empty-file", _("sheet '{sheet}' is empty").format(sheet=sheet), source.name)
        header = choose_header([cells for _number, cells in table], options.header, options.names)
        rows = _rows(table[header.present :], header.columns, source.name)
        if not rows:
            raise refusal("empty-file", _("sheet '{sheet}' has a header and no rows").format(sheet=sheet), source.name)
        how = _("sheet '{sheet}'; {header}").format(sheet=sheet, header=header.how)
        file = FileReading(source.name, source.sha256, "xlsx", len(rows), how=how, header=header.present)
        return Reading(file, header.columns, rows, header.problems(source.name))


def _sheet(book: CalamineWorkbook, told: str | None, file: str) -> str:
    names = [each.name for each in book.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]
    if told is None and names:
        return names[0]
    if told in names:
        return told
    message = _("no sheet '{name}'; the workbook has: {names}{hint}").format(
        name=told, names=", ".join(names), hint=did_you_mean(str(told), names)
    )
    raise refusal("unknown-sheet", message, file)


def _table(book: CalamineWorkbook, sheet: str) -> list[tuple[int, list[str]]]:
    """(row number from 1, cells as text) of every row that is not blank."""
    table = []
    for number, row in enumerate(book.get_sheet_by_name(sheet).to_python(skip_empty_area=False), start=1):
        cells = [_shown(cell) for cell in row]
        if any(cells):
            table.append((number, cells))
    return table


def _rows(table: list[tuple[int, list[str]]], columns: list[str], file: str) -> list[Row]:
    return [Row(dict(zip(columns, cells, strict=True)), file, number) for number, cells in table]


def _shown(cell: object) -> str:
    """A cell as the sheet shows it: whole floats without '.0', dates in ISO form."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return str(cell if isinstance(cell, timedelta) else plain(cell))
