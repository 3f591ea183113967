"""A Spark session: had, given our code, asked within a time limit, its failures told to people."""

import atexit
import hashlib
import io
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from weakref import WeakSet

import monitor
from monitor.configuration.datasets import SparkSettings
from monitor.errors import (
    AskedWrongly,
    CouldNotLook,
    MonitorError,
    PathNotFound,
    SourceUnreadable,
    nearest,
)

T = TypeVar("T")

REACH_S = 10.0  # to find out that nobody listens; the client itself would try for minutes
CANCEL_EVERY_S = 1.0
_PORT = 15_002  # of Spark Connect
_QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
_NEEDED = "executors need the Python of the driver (its minor version), numpy and pyarrow"
_remotes: dict[str, Any] = {}  # sessions of Spark Connect by address
_equipped: WeakSet[Any] = WeakSet()  # sessions whose executors have our code
_lock = threading.RLock()


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """A session, where its rows are, how long a job may take, what no message repeats."""

    session: Any
    place: str
    timeout: timedelta
    secrets: tuple[str, ...] = ()

    def run(self, work: Callable[[], T]) -> T:
        """What `work` asks of the session. AskedWrongly or CouldNotLook, whatever goes wrong."""
        try:
            with telling(self.place, self.secrets), self._limited():
                return work()
        except SourceUnreadable:
            _forget(self.session)
            raise

    def equip(self) -> None:
        """Give the executors this very version of the package."""
        with _lock:
            if self.session not in _equipped:
                path = list(sys.path)
                self.run(lambda: self.session.addArtifacts(str(_zipped()), pyfile=True))
                sys.path[:] = path  # the driver has it already
                _equipped.add(self.session)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Cancels the jobs of this thread when their time is up."""
        tag = f"drift-monitor-{uuid.uuid4().hex}"
        done, late = threading.Event(), threading.Event()
        begin, finish, cancel = _tagging(self.session)

        def watch() -> None:
            if done.wait(self.timeout.total_seconds()):
                return
            late.set()
            while True:  # a job may be about to begin, and one more may follow
                with suppress(Exception):
                    cancel(tag)
                if done.wait(CANCEL_EVERY_S):
                    return

        begin(tag)
        threading.Thread(target=watch, name="spark-timeout", daemon=True).start()
        try:
            yield
        except Exception:
            if not late.is_set():
                raise
            raise SourceUnreadable(
                f"{self.place}: a Spark job took longer than "
                f"{self.timeout.total_seconds():g} s and was cancelled",
                hint="has the cluster workers? `spark: {timeout: 2h}` allows more time",
            ) from None
        finally:
            done.set()
            with suppress(Exception):
                finish(tag)


def _tagging(session: Any) -> tuple[Callable[[str], Any], ...]:
    """How jobs of this thread are tagged, no longer tagged, and cancelled from another thread.

    A session of this process knows its own tags in the thread alone that set them.
    """
    if type(session).__module__.startswith("pyspark.sql.connect"):
        return session.addTag, session.removeTag, session.interruptTag
    context = session.sparkContext
    return context.addJobTag, context.removeJobTag, context.cancelJobsWithTag


def cluster_of(settings: SparkSettings) -> Cluster:
    """The session that configuration names, or that of the running application."""
    timeout = settings.timeout.duration
    with _lock, telling(settings.place, settings.secrets):
        return Cluster(_session(settings), settings.place, timeout, settings.secrets)


def _session(settings: SparkSettings) -> Any:
    if settings.remote is not None:
        return _remote(settings.remote.get_secret_value(), settings.config)
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    context = SparkContext._active_spark_context  # a session is active in one thread alone
    if context is None:
        active = SparkSession.getActiveSession() if settings.master is None else None
        return active or _begun(settings)
    if settings.master not in (None, context.master):
        raise AskedWrongly(
            f"this process has a Spark session of {context.master} already, and {settings.master} "
            "is asked for; there can be one",
            hint="a Spark Connect server (`remote: sc://...`) goes beside any other",
        )
    return SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()


def _begun(settings: SparkSettings) -> Any:
    """A new session in this process."""
    from pyspark.sql import SparkSession

    if settings.master is None or settings.master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else it is any python3
    builder = SparkSession.builder
    for key, value in {**_QUIET, **settings.config}.items():
        builder = builder.config(key, value)
    if settings.master is not None:
        builder = builder.master(settings.master)
    return builder.getOrCreate()


def _remote(address: str, config: Any) -> Any:
    """A session of a Spark Connect server, which may live beside any other."""
    from pyspark.sql.connect.session import SparkSession

    known = _remotes.get(address)
    if known is not None and not known.is_stopped:
        return known
    server = urlsplit(address.partition("/;")[0])
    host, port = server.hostname or "localhost", server.port or _PORT
    try:
        socket.create_connection((host, port), REACH_S).close()
    except OSError as error:
        raise SourceUnreadable(
            f"no Spark Connect server answers at {host}:{port} ({error.strerror or error})"
        ) from None
    builder = SparkSession.builder.remote(address)
    for key, value in config.items():
        builder = builder.config(key, value)
    _remotes[address] = builder.create()
    return _remotes[address]


def _forget(session: Any) -> None:
    """A server that was begun anew knows no old sessions: the next look asks for a new one."""
    with _lock:
        for address in [a for a, known in _remotes.items() if known is session]:
            del _remotes[address]


@cache
def _zipped() -> Path:
    """The package as one file, named by what it holds; executors may fetch it at any time."""
    root = Path(monitor.__file__).parent
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*.py")):
            entry = zipfile.ZipInfo(f"monitor/{path.relative_to(root).as_posix()}")
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    name = hashlib.sha256(content.getvalue()).hexdigest()[:16]
    folder = Path(tempfile.mkdtemp(prefix="drift-monitor-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = folder / f"drift_monitor_{name}.zip"
    target.write_bytes(content.getvalue())
    return target


# --- What goes wrong, in words ---

_MISSING = {"TABLE_OR_VIEW_NOT_FOUND", "PATH_NOT_FOUND", "SCHEMA_NOT_FOUND"}
_PYTHON = re.compile(r"No module named '([\w.]+)'")


@contextmanager
def telling(place: str, secrets: tuple[str, ...]) -> Iterator[None]:
    """Errors of Spark become ours; their text is shortened, and holds no secret."""
    try:
        yield
    except MonitorError:
        raise
    except ImportError as error:
        raise AskedWrongly(
            f"rows of Spark need the library {(error.name or 'pyspark').partition('.')[0]!r}, "
            "which is not installed",
            hint="pip install 'drift-monitor[spark]'",
        ) from None
    except Exception as error:
        raise _ours(error, place, secrets) from None


def _ours(error: Exception, place: str, secrets: tuple[str, ...]) -> MonitorError:
    from pyspark.errors import AnalysisException, PySparkException

    condition = (error.getCondition() if isinstance(error, PySparkException) else None) or ""
    text, told = str(error), f"{place}: {_shortened(error, secrets)}"
    if condition.split(".")[0] in _MISSING:
        return PathNotFound(told)
    if isinstance(error, AnalysisException):  # also of a query that is none
        return AskedWrongly(told)
    if condition == "JAVA_GATEWAY_EXITED":
        return AskedWrongly(f"no Spark session: {told}", hint="Spark 4 needs Java 17 or newer")
    if "PYTHON_VERSION_MISMATCH" in text:
        return CouldNotLook(f"{place}: the executors have another Python", hint=_NEEDED)
    if (lacking := _PYTHON.search(text)) is not None:
        name = lacking[1].partition(".")[0]
        return CouldNotLook(f"{place}: the executors have no Python library {name!r}", hint=_NEEDED)
    return SourceUnreadable(told)


def _shortened(error: Exception, secrets: tuple[str, ...]) -> str:
    """The first line that says something."""
    text = str(getattr(error, "java_exception", None) or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    for secret in sorted(secrets, key=len, reverse=True):
        first = first.replace(secret, "...")
    return first[:300]


def not_found(cluster: Cluster, table: str, error: PathNotFound) -> PathNotFound:
    """The same error with the tables there are, when they can be listed."""
    schema, _, name = table.replace("`", "").rpartition(".")
    where = f" IN {schema}" if schema else ""
    try:
        rows = cluster.run(lambda: cluster.session.sql(f"SHOW TABLES{where}").toArrow())
    except MonitorError:
        return error
    names = sorted(rows["tableName"].to_pylist())
    near = nearest(name, names)
    listing = ", ".join(names[:10]) + (" ..." if len(names) > 10 else "")
    return PathNotFound(
        f"there is no table {table}; {schema or 'the current schema'} has: {listing or 'none'}",
        hint=f"did you mean {f'{schema}.{near}' if schema else near!r}?" if near else "",
    )
