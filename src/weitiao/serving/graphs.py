"""Gold graphs from a file: texts with spans and relations, as annotation tools export them, for `Pipeline.score`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weitiao.data.fields import GROUP, FieldMap, known_names, map_columns, word
from weitiao.data.reading import read_rows
from weitiao.errors import Problem, refuse_if_errors
from weitiao.records import GraphRecord, Row
from weitiao.tasks import RowFault
from weitiao.tasks.graphs import RELATIONS, SPANS, read_graph
from weitiao.tasks.marked import TEXT, TOKENS, read_text

FIELDS = (TEXT, TOKENS, SPANS, RELATIONS)


def read_graphs(source: str, *, fields: Mapping[str, str | int] | None = None, **options: Any) -> list[GraphRecord]:
    """A record a row; a row that says nothing of relations has none.

    Args:
        source: a file, folder or zip in any format that training reads.
        fields: field (text, tokens, spans, relations, group) -> column, as under `data.fields`.
        options: `format`, `encoding` and the like, as under `data`.

    Raises:
        ProblemsFound: the source, or a row of it, cannot be used; scores of the other rows would be of another set.
    """
    told = dict(fields or {})
    reading = read_rows(source, names=known_names(told, FIELDS), **options)
    columns, problems = map_columns(reading, told, FIELDS)
    refuse_if_errors([*reading.problems, *problems])
    graphs: list[GraphRecord] = []
    for row in reading.rows:
        try:
            graphs.append(_graph(row, columns))
        except RowFault as fault:
            problems.append(Problem("unusable-row", str(fault), file=row.file, line=row.line))
    refuse_if_errors(problems)
    return graphs


def _graph(row: Row, columns: FieldMap) -> GraphRecord:
    if row.problem:
        raise RowFault(row.problem)
    given = columns.apply(row.fields)
    text, tokens = read_text(given)
    graph = read_graph(text, given.get("spans"), given.get("relations"))
    group = word(given.get(GROUP))
    return GraphRecord(
        file=row.file, line=row.line, group=group, text=text, tokens=tokens, spans=graph.spans,
        relations=graph.relations,
    )  # fmt: skip
