"""Where corrections are kept: a SQLite file, or a PostgreSQL database, with one schema for both.

    store = FeedbackStore.open("sqlite:///feedback.db")        # a bare path is one, too
    store = FeedbackStore.open("postgresql://user@host/name")  # needs the extra `postgres`

What `add` has answered is on the disk. Every call has a connection of its own: corrections are rare, nothing is shared
between threads or over a fork, and a database that was restarted is simply met again.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from weitiao.errors import MissingExtra, Refused, Unreachable
from weitiao.messages import _

SQLITE, POSTGRES = "sqlite:///", ("postgresql://", "postgres://")
PAGE = 500  # rows that are fetched at a time
WAIT = 10.0  # seconds for another process to finish writing, and for a server to answer
LOCK = 0x77656974  # which advisory lock processes take that make the table at once; any number does
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS feedback (
        id TEXT PRIMARY KEY,
        time TEXT NOT NULL,
        model TEXT NOT NULL,
        version TEXT NOT NULL,
        task TEXT NOT NULL,
        fields TEXT NOT NULL,
        prediction TEXT NOT NULL,
        correction TEXT NOT NULL,
        probabilities TEXT NOT NULL,
        agreed INTEGER,
        new_label INTEGER NOT NULL,
        request_id TEXT NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS feedback_in_order ON feedback (time, id)",
)
TEXTS = ("fields", "prediction", "correction", "probabilities")  # columns that hold JSON


@dataclass(frozen=True, slots=True)
class Feedback:
    """What someone said of an answer.

    Args:
        model: the name under which it is served.
        version: which of its versions answered: its folder's name and, after an @, what `serving.cards.version` says.
        task: name of the task.
        fields: what was asked, as a row of the task has it, such as {"text": "..."}.
        prediction: what the model said.
        correction: what is right, as a training row has it, such as {"label": "NEG"}.
        probabilities: of each label; empty of tasks whose answers have none.
        agreed: whether the answer was right; None where answers are not right or wrong.
        new_label: whether the correction is an answer that the model cannot give.
        request_id: what the asker calls the request, if anything.
        id: given by the store.
        time: when it was stored, in UTC; given by the store.
    """

    model: str
    version: str
    task: str
    fields: Mapping[str, Any]
    prediction: Mapping[str, Any]
    correction: Mapping[str, Any]
    probabilities: Mapping[str, float]
    agreed: bool | None = None
    new_label: bool = False
    request_id: str = ""
    id: str = ""
    time: str = ""

    def training_row(self) -> dict[str, Any]:
        """What was asked and what is right, in the inner form that readers and writers of data know."""
        return {**self.fields, **self.correction}


COLUMNS = tuple(each.name for each in fields(Feedback))


@dataclass(frozen=True, slots=True)
class Count:
    """What there is of one version of a model.

    Args:
        model: its name.
        version: the version.
        corrections: rows, those that only say that the answer was right among them.
        judged: rows whose answer was either right or wrong.
        agreed: of those, rows whose answer was right.
        new_labels: rows whose correction the model cannot answer with.
        last: when the newest came, in UTC.
    """

    model: str
    version: str
    corrections: int
    judged: int
    agreed: int
    new_labels: int
    last: str


class Database(Protocol):
    """What the store needs of a database; `mark` is how its statements write a value that is given beside."""

    mark: str
    shown: str
    """Its address, without a password."""

    def connect(self) -> Any:
        """A context with a cursor: committed on leaving, rolled back after an error.

        Raises:
            Unreachable: it does not answer.
        """
        ...

    def prepare(self, cursor: Any) -> None:
        """What is to be done before the table is made."""
        ...


class FeedbackStore:
    """The corrections in one database; safe from several threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.shown = database.shown
        with database.connect() as cursor:
            database.prepare(cursor)
            for statement in SCHEMA:
                cursor.execute(statement)
            cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM feedback LIMIT 0")

    @classmethod
    def open(cls, url: str | Path, *, make: bool = True) -> FeedbackStore:
        """The store at an address; the table is made where there is none.

        Args:
            url: `sqlite:///PATH`, a bare path, or `postgresql://USER@HOST/NAME`.
            make: whether a SQLite file is made where there is none.

        Raises:
            Refused: the address is of another kind, or there is no such file.
            Unreachable: there is no database that answers, or its table `feedback` is of something else.
            MissingExtra: PostgreSQL needs the extra `postgres`.
        """
        address = str(url)
        if address.startswith(POSTGRES):
            return cls(Postgres(address))
        if "://" in address.removeprefix(SQLITE):
            raise Refused(
                _("'{url}' is no address of a database; expected sqlite:///PATH, a path, or postgresql://...").format(
                    url=_without_password(address)
                )
            )
        path = Path(address.removeprefix(SQLITE))
        if not make and not path.is_file():
            message = _("{path}: no such file; expected the database that `weitiao serve --feedback` wrote")
            raise Refused(message.format(path=path))
        return cls(Sqlite(path))

    def add(self, feedback: Feedback) -> str:
        """Store it; on return it is on the disk.

        Returns:
            its id.

        Raises:
            Unreachable: the database does not answer; nothing was stored.
        """
        stored = replace(feedback, id=uuid.uuid4().hex, time=_now())
        marks = ", ".join([self._database.mark] * len(COLUMNS))
        with self._database.connect() as cursor:
            cursor.execute(f"INSERT INTO feedback ({', '.join(COLUMNS)}) VALUES ({marks})", _written(stored))
        return stored.id

    def rows(
        self, *, model: str | None = None, task: str | None = None, since: str | datetime | None = None
    ) -> Iterator[Feedback]:
        """What was stored, oldest first, in bounded memory.

        Args:
            model: of this one only.
            task: what models of this task answered only; a name may have served another before.
            since: stored at this time or later; of a text without a zone, in UTC.

        Raises:
            Refused: `since` is no time.
            Unreachable: the database does not answer.
        """
        conditions, values = ["(time, id) > ({0}, {0})"], []
        for column, value in (("model", model), ("task", task)):
            if value is not None:
                conditions.append(f"{column} = {{0}}")
                values.append(value)
        asked = " AND ".join(conditions).format(self._database.mark)
        statement = f"SELECT {', '.join(COLUMNS)} FROM feedback WHERE {asked} ORDER BY time, id LIMIT {PAGE}"
        last = ("" if since is None else _moment(since), "")
        while True:
            with self._database.connect() as cursor:
                page = [_read(row) for row in cursor.execute(statement, (*last, *values)).fetchall()]
            yield from page
            if len(page) < PAGE:
                return
            last = (page[-1].time, page[-1].id)

    def counts(self) -> list[Count]:
        """How much there is, by model and version."""
        with self._database.connect() as cursor:
            found = cursor.execute(
                "SELECT model, version, COUNT(*), COUNT(agreed), COALESCE(SUM(agreed), 0), SUM(new_label), MAX(time) "
                "FROM feedback GROUP BY model, version ORDER BY model, version"
            ).fetchall()
        return [Count(*row) for row in found]

    def training_rows(
        self, *, model: str | None = None, task: str | None = None, since: str | datetime | None = None
    ) -> list[dict[str, Any]]:
        """Rows to train on, in the inner form; of what was corrected twice, the last correction."""
        return latest(self.rows(model=model, task=task, since=since))


def latest(feedback: Iterable[Feedback]) -> list[dict[str, Any]]:
    """Training rows of corrections that come oldest first; a later one of the same input stands for the earlier."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for each in feedback:
        key = (each.model, json.dumps(each.fields, sort_keys=True))
        found.pop(key, None)
        found[key] = each.training_row()
    return list(found.values())


class Sqlite:
    """A SQLite file: write-ahead log, so that readers do not wait; every commit is fsynced."""

    mark = "?"

    def __init__(self, path: Path) -> None:
        if not str(path).strip() or path.is_dir():
            raise Refused(_("{path}: is a folder; name a file for the corrections in it").format(path=path))
        self._path = path
        self.shown = f"{SQLITE}{path}"

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Cursor]:
        try:
            connection = sqlite3.connect(self._path, timeout=WAIT)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                with connection:
                    yield connection.cursor()
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise _unreachable(self.shown, error) from error

    def prepare(self, cursor: sqlite3.Cursor) -> None:
        cursor.execute("PRAGMA journal_mode = WAL")  # stays in the file


class Postgres:
    """A PostgreSQL database, by psycopg."""

    mark = "%s"

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise MissingExtra("psycopg", "postgres") from error
        self._psycopg = psycopg
        self._url = url
        self.shown = _without_password(url)

    @contextmanager
    def connect(self) -> Iterator[Any]:
        try:
            with (
                self._psycopg.connect(self._url, connect_timeout=int(WAIT)) as connection,
                connection.cursor() as cursor,
            ):
                yield cursor
        except self._psycopg.Error as error:
            raise _unreachable(self.shown, error) from error

    def prepare(self, cursor: Any) -> None:
        # IF NOT EXISTS alone lets two that come at once both try, and one fail
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))


def _unreachable(shown: str, error: Exception) -> Unreachable:
    reason = " ".join(str(error).split())
    return Unreachable(
        _("{url}: the database of corrections cannot be used: {reason}").format(url=shown, reason=reason)
    )


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    name, _at, host = parts.netloc.rpartition("@")
    user = name.partition(":")[0]
    return parts._replace(netloc=f"{user}@{host}" if user else host, query="").geturl()


def _now() -> str:
    return _stamp(datetime.now(UTC))


def _stamp(moment: datetime) -> str:
    """A time of one width, so that texts compare as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(value: str | datetime) -> str:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise Refused(
            _("'{time}' is no time; expected such as 2026-01-31 or 2026-01-31T08:00").format(time=value)
        ) from error
    return _stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _written(feedback: Feedback) -> Sequence[Any]:
    """The values of a row. JSON is ASCII: neither NUL nor half a surrogate pair reaches the database as a character."""
    values = {name: getattr(feedback, name) for name in COLUMNS}
    values |= {name: json.dumps(values[name]) for name in TEXTS}
    values["agreed"] = None if feedback.agreed is None else int(feedback.agreed)
    values["new_label"] = int(feedback.new_label)
    return list(values.values())


def _read(row: Sequence[Any]) -> Feedback:
    values = dict(zip(COLUMNS, row, strict=True))
    values |= {name: json.loads(values[name]) for name in TEXTS}
    values["agreed"] = None if values["agreed"] is None else bool(values["agreed"])
    values["new_label"] = bool(values["new_label"])
    return Feedback(**values)
