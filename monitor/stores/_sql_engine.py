"""The database under the SQL store: its address, its locks, its errors in our words, its schema."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

import sqlalchemy as sa

from monitor.errors import ConfigError, StoreConflict, StoreUnavailable
from monitor.ports import Clock

HEAD = "0004"  # the newest step in migrations/versions
_STOPS = ("0003", HEAD)  # after each, what it leaves is filled in
VERSION_TABLE = "monitor_schema_version"
MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 7_364_917_205  # any number, as long as every process takes the same
MEMORY = sa.make_url("sqlite://")
_INCREMENTAL = 2  # SQLite's number for giving free pages back when asked
_WAIT_S = 10  # for a lock or a server, unless the URL says otherwise


Writing = Callable[[], AbstractContextManager[sa.Connection]]


@dataclass(frozen=True, slots=True)
class Schema:
    """The newest tables, and what is filled in after which step on the way to them."""

    tables: sa.MetaData
    fills: Mapping[str, Callable[[Writing], None]]


class Database:
    """One database at its newest schema. Every block of `writing` is one transaction."""

    def __init__(self, url: str, root: Path, schema: Schema) -> None:
        """Open it; relative SQLite paths are relative to `root`.

        Raises ConfigError when the URL cannot be used, StoreUnavailable when the database cannot.
        """
        self._schema = schema
        self._url = _address(url, root)
        self._in_memory = self._url == MEMORY
        # In memory there is one connection, and one thread at a time has it.
        self._turn: AbstractContextManager[object] = RLock() if self._in_memory else nullcontext()
        self._reader = _engine(self._url)
        self._writer = self._reader.execution_options(begin="BEGIN IMMEDIATE")
        try:
            with self._told():
                self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._reader.dispose()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction, committed at the end and undone by any error."""
        with self._turn, self._told(), self._writer.begin() as db:
            yield db

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        with self._turn, self._told(), self._reader.connect() as db:
            yield db

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """All that is read in the block is as it was at its first statement."""
        engine = self._reader
        if engine.dialect.name == "postgresql":  # where each statement has its own moment
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with self._turn, self._told(), engine.connect() as db:
            yield db

    def rows(self, query: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        return [row._mapping for row in self.tuples(query)]

    def tuples(self, query: sa.Select[Any]) -> Sequence[Any]:
        """Rows to be taken apart by place: the quicker way where there may be thousands."""
        with self.reading() as db:
            try:
                return db.execute(query).all()
            except ValueError as error:  # a cell that is not what its table says it is
                raise StoreUnavailable(f"{self.place} holds a damaged row: {error}") from None

    @property
    def is_sqlite_file(self) -> bool:
        return self._reader.dialect.name == "sqlite" and not self._in_memory

    def leave_one_file(self) -> None:
        """Take what lies beside a SQLite file into it: it can be carried away by itself."""
        with self._told(), self._reader.execution_options(begin=None).connect() as db:
            db.exec_driver_sql("PRAGMA journal_mode=DELETE")

    @property
    def place(self) -> str:
        """Where the database is, for messages: without user, password and options."""
        if self._in_memory:
            return "memory"
        if self._url.get_backend_name() == "sqlite":
            return str(self._url.database)
        return self._url.set(username=None, password=None, query={}).render_as_string()

    def compact(self, pages: int) -> None:
        """Give back free pages of a SQLite file, so many at once; a server does so by itself."""
        if self._reader.dialect.name != "sqlite":
            return
        bare = self._reader.execution_options(begin=None)  # each statement for itself
        with self._turn, self._told(), bare.connect() as db:
            raw: Any = db.connection.driver_connection
            if raw.execute("PRAGMA auto_vacuum").fetchone() == (_INCREMENTAL,):
                while raw.execute("PRAGMA freelist_count").fetchone() > (0,):
                    raw.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
            raw.execute("PRAGMA optimize").fetchall()

    def schema(self) -> tuple[str | None, str]:
        """The schema that is found, and the one that this program works with."""
        if self._in_memory:
            return HEAD, HEAD
        with self.reading() as db:
            return _version(db), HEAD

    def _prepare(self) -> None:
        """Bring the schema up to date; processes that open the database together take turns."""
        if self._in_memory:
            self._schema.tables.create_all(self._reader)
            return
        if self._reader.dialect.name == "sqlite":
            _use_write_ahead_log(self._reader)
        for stop in _STOPS:
            with self._reader.connect() as db:
                if _version(db) == HEAD:
                    return
            with self._writer.begin() as db:  # short: tables change, and nothing is filled in
                if db.dialect.name == "postgresql":
                    db.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                if not sa.inspect(db).get_table_names():
                    _begin(db, self._schema.tables)
                    return
                _upgrade(db, self.place, stop)
            if stop in self._schema.fills:
                self._schema.fills[stop](self.writing)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the database's errors into ours: one line, no statement, no secret."""
        try:
            yield
        except sa.exc.IntegrityError as error:
            raise StoreConflict(
                f"{self.place} was changed by another process: {self._reason(error)}",
                hint="read it again and decide anew",
            ) from None
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            reason = self._reason(error)
            raise StoreUnavailable(
                f"the store {self.place} cannot be used: {reason}", hint=_hint(reason)
            ) from None

    def _reason(self, error: sa.exc.SQLAlchemyError) -> str:
        lines = str(getattr(error, "orig", None) or error).strip().splitlines()
        text = lines[0] if lines else type(error).__name__
        secrets = [str(self._url.password or "")]
        secrets += [str(value) for key, value in self._url.query.items() if "pass" in key]
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text


class Part:
    """A part of the store: what it promises, over the database and clock that all of them share."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock


# --- Address ---


def _address(url: str, root: Path) -> sa.URL:
    """The URL, parsed; a SQLite path made absolute. No message repeats it: it may hold a secret."""
    if url.startswith("memory:"):
        return MEMORY
    try:
        address = sa.make_url(url)
        backend = address.get_backend_name()
    except (sa.exc.ArgumentError, ValueError):
        raise _wrong_address("the address of the store cannot be read") from None
    if backend not in ("sqlite", "postgresql"):
        raise _wrong_address(f"there is no SQL store for {backend}://")
    return _file_address(address, root) if backend == "sqlite" else address


def _file_address(address: sa.URL, root: Path) -> sa.URL:
    name = str(address.database or "")
    if name.startswith("file:"):
        return address
    if name in ("", ":memory:"):
        raise ConfigError("this SQLite store would live in memory only", hint="write memory://")
    path = root / Path(name).expanduser()
    if not path.parent.is_dir():
        raise StoreUnavailable(
            f"there is no folder {path.parent} for the store {path.name}", hint="make the folder"
        )
    return address.set(database=str(path.absolute()))


def _wrong_address(what: str) -> ConfigError:
    return ConfigError(
        what, hint="write sqlite:///monitor.db or postgresql+psycopg://user:password@host/name"
    )


def _engine(address: sa.URL) -> sa.Engine:
    """An engine that has not connected yet."""
    is_file = address.get_backend_name() == "sqlite"
    patience = "timeout" if is_file else "connect_timeout"
    options: dict[str, Any] = {} if patience in address.query else {patience: _WAIT_S}
    if address == MEMORY:
        options["check_same_thread"] = False
    try:
        engine = sa.create_engine(
            address,
            json_serializer=_json_text,
            pool_pre_ping=not is_file,  # a server may have restarted
            connect_args=options,
            poolclass=sa.StaticPool if address == MEMORY else None,
        )
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"a store at {address.drivername}:// needs {error.name}, which is not installed",
            hint=f"install {error.name}",
        ) from None
    except sa.exc.ArgumentError:
        raise _wrong_address(f"no driver answers to {address.drivername}://") from None
    if is_file:
        sa.event.listen(engine, "connect", _configure_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _json_text(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


# --- SQLite ---


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, and which kind
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")  # what was sent must not be forgotten


def _begin_sqlite(db: sa.Connection) -> None:
    if begin := db.get_execution_options().get("begin", "BEGIN"):
        db.exec_driver_sql(begin)


def _use_write_ahead_log(engine: sa.Engine) -> None:
    """The file remembers the mode. SQLite does not queue for this lock, so we ask again."""
    give_up = time.monotonic() + _WAIT_S
    with engine.execution_options(begin=None).connect() as db:  # not within a transaction
        if db.exec_driver_sql("PRAGMA page_count").scalar() == 0:  # later it would change nothing
            db.exec_driver_sql(f"PRAGMA auto_vacuum={_INCREMENTAL}")
        while db.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
            try:
                db.exec_driver_sql("PRAGMA journal_mode=WAL")
                return  # or not taken: a file system without shared memory; slower, not wrong
            except sa.exc.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.02)


_HINTS = {
    "locked": "another process is holding it; try again when that one is done",
    "not a database": "restore it from a backup, or move it away to start anew",
    "malformed": "restore it from a backup, or move it away to start anew",
    "unable to open": "may this user read and write the file and its folder?",
    "readonly": "may this user write the file and its folder?",
    "already exists": "it belongs to something else; give the store a database of its own",
    "full": "free some space",
}


def _hint(reason: str) -> str:
    for sign, hint in _HINTS.items():
        if sign in reason:
            return hint
    return "is the server running, and may this user connect to this database?"


# --- Schema ---


def _version(db: sa.Connection) -> str | None:
    if not sa.inspect(db).has_table(VERSION_TABLE):
        return None
    versions = sa.table(VERSION_TABLE, sa.column("version_num", sa.Text))
    return db.execute(sa.select(versions.c.version_num)).scalar()


def _begin(db: sa.Connection, tables: sa.MetaData) -> None:
    """Make the newest tables at once, and the mark that the steps would have left."""
    tables.create_all(db, checkfirst=False)
    number = sa.Column("version_num", sa.String(32), nullable=False)
    key = sa.PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc")
    versions = sa.Table(VERSION_TABLE, sa.MetaData(), number, key)
    versions.create(db)
    db.execute(sa.insert(versions).values(version_num=HEAD))


def _upgrade(db: sa.Connection, place: str, stop: str) -> None:
    """Take the steps that are missing up to one, inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config(attributes={"connection": db, "version_table": VERSION_TABLE})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    version = _version(db)
    if version is not None and version not in known:
        raise StoreUnavailable(
            f"{place} was written by a newer version: its schema is {version}, "
            f"this version knows up to {HEAD}",
            hint="update drift-monitor",
        )
    if version is None or version < stop:
        command.upgrade(config, stop)
