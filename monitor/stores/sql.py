"""A store in a SQL database: SQLite unless told otherwise, PostgreSQL, or memory for dry runs.

Reading never waits for writing. In SQLite a writer takes the write lock before it looks (BEGIN
IMMEDIATE), so two processes queue instead of locking each other out half-way; in PostgreSQL
unique keys and conditional updates decide who was first.
"""

from pathlib import Path

from monitor.ports import Clock
from monitor.stores._sql_access import Access
from monitor.stores._sql_acts import Acts
from monitor.stores._sql_checks import Checks
from monitor.stores._sql_claims import Claims
from monitor.stores._sql_columns import Columns
from monitor.stores._sql_copies import Copies
from monitor.stores._sql_engine import Database
from monitor.stores._sql_episodes import Episodes
from monitor.stores._sql_filling import SCHEMA
from monitor.stores._sql_keeping import Keeping
from monitor.stores._sql_outbox import Outbox
from monitor.stores._sql_vitals import Vitals


def make(url: str, root: Path, clock: Clock) -> "SqlStore":
    """The store at a SQLAlchemy URL, at the newest schema; SQLite paths are relative to `root`.

    At `memory://` each call makes a new, empty one that is gone when it is closed. `clock` says
    when a check was stored. Raises ConfigError when the URL cannot be used, StoreUnavailable when
    the database cannot.
    """
    return SqlStore(Database(url, root, SCHEMA), clock)


class SqlStore(Checks, Columns, Episodes, Outbox, Acts, Access, Claims, Keeping, Copies, Vitals):
    """`archive.Store` over one database; safe for threads and for several processes."""

    def close(self) -> None:
        self._database.close()
