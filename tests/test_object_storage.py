"""Data, snapshots and reports in an object store: the same body over a folder, memory and S3."""

import gzip
import io
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import fsspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import yaml
from fsspec.implementations.memory import MemoryFileSystem
from projects import FIRST_DAY, day, rows
from pyarrow import feather
from starlette.testclient import TestClient

from monitor.api import compare
from monitor.cli.main import run
from monitor.configuration.datasets import SourceSettings
from monitor.core.records import Verdict, Window
from monitor.errors import (
    AskedWrongly,
    ConfigError,
    PathNotFound,
    SourceUnreadable,
    StoreUnavailable,
)
from monitor.reports.folder import ReportFolder
from monitor.service import open_service
from monitor.settings import load_settings
from monitor.sources.files import FileSource
from monitor.tables.addresses import place_of
from monitor.tables.local_files import LocalPlace
from monitor.tables.places import Place
from monitor.web.access import Gate
from monitor.web.app import make_app

SECRET = "a-secret-for-tests"


@dataclass
class Home:
    """Somewhere files can lie."""

    url: str
    options: dict[str, Any] = field(default_factory=dict)

    def place(self, path: str) -> Place:
        return place_of(f"{self.url}/{path}", Path("/nowhere"), self.options)

    def put(self, path: str, content: pa.Table | bytes) -> None:
        self.place(path).write(parquet(content) if isinstance(content, pa.Table) else content)

    def source(self, path: str, time: str | None = "at", **more: Any) -> FileSource:
        asked = {"path": f"{self.url}/{path}", "time": time, "storage": self.options, **more}
        return FileSource(SourceSettings(**asked), Path("/nowhere"))


def parquet(table: pa.Table, **more: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **more)
    return sink.getvalue()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 that answers on this machine alone; its address."""
    pytest.importorskip("s3fs", reason="needs s3fs: pip install 'drift-monitor[s3]'")
    reason = "needs a server that speaks S3: pip install 'moto[s3,server]'"
    server = pytest.importorskip("moto.server", reason=reason).ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "memory", "s3"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """The same in three places; a bucket only where a server for it is installed."""
    name = f"home-{uuid4().hex}"
    if request.param == "folder":
        return Home(str(tmp_path / name))
    if request.param == "memory":
        return Home(f"memory://{name}")
    made: Home = request.getfixturevalue("bucket")
    return made


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A bucket of its own for a test, and the environment to reach it."""
    for key, value in {"ACCESS_KEY_ID": "someone", "SECRET_ACCESS_KEY": SECRET}.items():
        monkeypatch.setenv(f"AWS_{key}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    name, options = f"home-{uuid4().hex}", {"endpoint_url": s3_server}
    fsspec.filesystem("s3", **options).mkdir(name)
    return Home(f"s3://{name}/some/prefix", options)


def days(home: Home, *numbers: int) -> None:
    for number in numbers:
        shift = 2.0 if number >= 2 else 0.0
        home.put(f"data/day{number}.parquet", rows(number, 300, day(number).start, shift=shift))


# --- Reading ---


def test_a_folder_a_pattern_and_one_file(home: Home) -> None:
    days(home, 0, 1)
    home.put("data/deeper/day9.parquet", rows(9, 300, day(9).start))
    for noise in ("data/.hidden.parquet", "data/_SUCCESS", "data/a.parquet.tmp", "data/.x/a.csv"):
        home.put(noise, b"noise")
    assert home.source("data").read().info.rows == 900
    assert home.source("data/").read().info.rows == 900
    assert home.source("data/*.parquet").read().info.rows == 600
    assert home.source("data/**/*.parquet").read().info.rows == 900
    assert home.source("data/d*").read().info.rows == 900  # a folder that matches counts whole
    assert home.source("data/day[12].parquet").read().info.rows == 300
    assert home.source("data/day0.parquet").read().info.rows == 300


def test_a_window_and_the_files_that_come_later(home: Home) -> None:
    days(home, 0, 1)
    source = home.source("data")
    assert source.read(day(1)).info.rows == 300
    assert source.read(day(2)).info.rows == 0
    days(home, 2)
    assert source.read(day(2)).info.rows == 300
    span = source.span()
    assert span is not None and span.start == FIRST_DAY and span.end <= day(2).end
    home.put("data/day2.parquet", rows(2, 100, day(2).start))
    assert source.read(day(2)).info.rows == 100


def written_as(table: pa.Table) -> dict[str, bytes]:
    text, arrow = io.BytesIO(), io.BytesIO()
    pa_csv.write_csv(table, text)
    feather.write_feather(table, arrow, compression="uncompressed")
    lines = "".join(f'{{"n": {n}, "word": "w{n}"}}\n' for n in table["n"].to_pylist()).encode()
    packed = gzip.compress(text.getvalue())
    return {
        "a.parquet": parquet(table), "a.csv": text.getvalue(), "a.csv.gz": packed,
        "a.arrow": arrow.getvalue(), "a.ndjson": lines,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz", "a.arrow", "a.ndjson"])
def test_every_format(home: Home, name: str) -> None:
    numbers = list(range(2000))
    table = pa.table({"n": numbers, "word": [f"w{n}" for n in numbers]})
    home.put(name, written_as(table)[name])
    sample = home.source(name, None).read()
    assert sample.table["n"].to_pylist() == numbers
    assert sample.columns["word"].drawn().levels[:2] == ("w0", "w1")


def test_more_text_than_is_fetched_at_a_time(home: Home) -> None:
    line = b"x" * 99 + b"\n"
    home.put("long.csv", b"word\n" + line * 50_000)
    assert home.source("long.csv", None).read(limit=10).info.rows_in_window == 50_000


@pytest.mark.parametrize(
    "name", ["a b.parquet", "ü.parquet", "100%25.parquet", "a#b.parquet", "it's.parquet",
             "q?d.parquet", "x[1].parquet", "a+b&c.parquet", "a::b.parquet", "a@b:c.parquet"],
)  # fmt: skip
def test_names_that_mean_something_elsewhere(home: Home, name: str) -> None:
    if home.url.startswith("memory") and "::" in name:
        pytest.skip("memory:// takes :: for two addresses in one")
    home.put(f"odd/{name}", rows(0, 10, FIRST_DAY))
    assert home.source("odd").read().info.rows == 10
    assert home.source(f"odd/{name}").read().info.rows == 10
    assert home.source("odd/*.parquet").fingerprint().startswith("sha256:")


def test_nothing_there_says_what_there_is(home: Home) -> None:
    days(home, 0)
    with pytest.raises(PathNotFound, match=r"there is no .*day7\.parquet; .* has: day0") as caught:
        home.source("data/day7.parquet").read()
    assert "day0.parquet" in caught.value.hint
    with pytest.raises(PathNotFound, match=r"nothing matches .*\.csv; .* has: day0\.parquet"):
        home.source("data/*.csv").read()
    with pytest.raises(PathNotFound, match=r"there is no .*absent; .* has: data"):
        home.source("absent").fingerprint()
    home.put("empty/_SUCCESS", b"")
    with pytest.raises(PathNotFound, match="no data file in"):
        home.source("empty").read()
    assert home.source("absent").read(day(0)).notices[0].kind == "no_files"


def test_a_bucket_that_is_not_there(bucket: Home) -> None:
    absent = Home("s3://no-such-bucket-at-all", bucket.options)
    with pytest.raises(PathNotFound, match=r"there is no s3://no-such-bucket-at-all/a\.csv"):
        absent.source("a.csv").read()
    with pytest.raises(PathNotFound, match="there is no such bucket"):
        absent.put("a.csv", b"a")
    for wrong in ("s3://*/a.csv", "s3://Not_A_Bucket!/a.csv"):
        with pytest.raises(AskedWrongly):
            Home(wrong, bucket.options).source("").read()


def test_files_that_are_cut_off(home: Home) -> None:
    content = parquet(rows(0, 300, FIRST_DAY))
    home.put("half.parquet", content[: len(content) // 2])
    with pytest.raises(SourceUnreadable, match=r"half\.parquet: the end .* is missing"):
        home.source("half.parquet").read()
    home.put("half.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1000)[:-20])
    with pytest.raises(SourceUnreadable, match=r"half\.csv\.gz: the gzip data is cut off"):
        home.source("half.csv.gz", None).read()
    home.put("empty.csv", b"")
    with pytest.raises(SourceUnreadable, match=r"empty\.csv is empty"):
        home.source("empty.csv", None).read()


def test_the_fingerprint_follows_the_content(home: Home) -> None:
    days(home, 0, 1)
    folder, file = home.source("data"), home.source("data/day0.parquet")
    before, one = folder.fingerprint(), file.fingerprint()
    assert (folder.fingerprint(), file.fingerprint()) == (before, one)
    home.put("data/day0.parquet", rows(5, 300, day(0).start))
    assert folder.fingerprint() != before and file.fingerprint() != one
    days(home, 0)
    home.put("data/day2.parquet", rows(5, 300, day(0).start))
    assert folder.fingerprint() != before


# --- The whole story ---


def write_project(home: Home, folder: Path) -> Path:
    """Six days; the first two serve as reference. Returns its monitor.yaml."""
    days(home, *range(6))
    settings = {
        "reports": f"{home.url}/reports",
        "snapshots": f"{home.url}/kept",
        "storage": {home.url.split(":")[0]: home.options} if home.options else {},
        "monitors": {
            "orders": {
                "reference": {"from": "2026-03-02", "to": "2026-03-04"},
                "production": {"path": f"{home.url}/data/*.parquet", "time": "at"},
                "explorer": "never",  # takes seconds to import
            }
        },
    }
    path = folder / "monitor.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_check_with_everything_elsewhere(home: Home, tmp_path: Path) -> None:
    service = open_service(write_project(home, tmp_path))
    try:
        stored = service.check("orders", day(4))
        assert stored.check.verdict is Verdict.DRIFTED and stored.report is not None
        assert service.reports.location(stored.report) == f"{home.url}/reports/{stored.report}"
        frozen = service.store.current_reference("orders")
        assert frozen is not None and frozen.rows == 600
        assert frozen.path.startswith(f"{home.url}/kept/orders/")
        assert service.check("orders", day(5)).check.verdict is Verdict.DRIFTED
        service.reports.write(f"{stored.check.id}-explore.html", "<body>dig</body>")
        gate = Gate(service.store, service.desk, service.clock, lone=True)
        app = make_app(
            service.store, service.reports, list, service.clock, desk=service.desk, gate=gate
        )
        client = TestClient(app, base_url="http://127.0.0.1")
        page = client.get(f"/reports/{stored.report}")
        assert page.status_code == 200 and "amount" in page.text
        assert f"/reports/{stored.check.id}-explore.html" in page.text
        assert client.get(f"/checks/{stored.check.id}").url.path == f"/reports/{stored.report}"
        assert client.get("/reports/nothing.html").status_code == 404
    finally:
        service.close()


def test_a_project_whose_data_cannot_be_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Refusing, "error", PermissionError("no"))
    config = written(tmp_path, "reports: reports/")
    config.write_text(config.read_text().replace("s3://b/c", "refusing://b/c"))
    assert run(["config", "check", "--config", str(config)]) == 0
    assert "access to refusing://b/c is denied" in " ".join(capsys.readouterr().out.split())


def test_two_datasets_compared(home: Home) -> None:
    days(home, 0, 5)
    result = compare(f"{home.url}/data/day0.parquet", f"{home.url}/data/day5.parquet")
    assert result.verdict is Verdict.DRIFTED
    assert result.to_dict()["setup"]["reference"] == f"{home.url}/data/day0.parquet"


def test_reports_are_written_read_and_kept_apart(home: Home) -> None:
    folder = ReportFolder(home.place("reports"))
    assert folder.read("a.html") is None and folder.holding(["a.html"]) == set()
    assert folder.write("a.html", "<p>ü") == f"{home.url}/reports/a.html"
    folder.write("a.html", "<p>new")
    folder.write("ab c.html", "<p>other")
    assert folder.read("a.html") == b"<p>new"
    asked = ["a.html", "ab c.html", "abc.html", "../a.html", ""]
    assert folder.holding(asked) == {"a.html", "ab c.html"} and folder.holding([]) == set()
    for name in ("", "..", "../reports/a.html", "a/b", "x" * 300):
        assert folder.read(name) is None
        with pytest.raises(AskedWrongly, match="file name"):
            folder.write(name, "x")
    linked = ReportFolder(home.place("reports"), "https://monitor.example")
    assert linked.location("a.html") == "https://monitor.example/reports/a.html"


def test_a_report_that_cannot_be_written_leaves_the_old_one(home: Home) -> None:
    folder = ReportFolder(home.place("reports"))
    folder.write("a.html", "old")
    with pytest.raises(UnicodeEncodeError):
        folder.write("a.html", "\ud800")
    assert folder.read("a.html") == b"old"


def test_s3_remembers_that_a_report_is_a_page(bucket: Home) -> None:
    url = ReportFolder(bucket.place("reports")).write("a.html", "<p>")
    told = fsspec.filesystem("s3", **bucket.options).info(url)
    assert told["ContentType"] == "text/html; charset=utf-8"


# --- How much is fetched ---


class Counted(io.RawIOBase):
    """A stored file that adds up what is fetched of it."""

    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._inner.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        found = self._inner.read(size)
        Counting.fetched_bytes += len(found)
        return found


class Counting(MemoryFileSystem):  # type: ignore[misc]
    """A store behind a counter."""

    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    fetched_bytes = 0

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.rsplit("://", maxsplit=1)[-1].strip("/")

    def open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        found = super().open(path, mode, **more)
        return Counted(found.getvalue()) if mode == "rb" else found


fsspec.register_implementation("counting", Counting, clobber=True)


@pytest.fixture
def fetched() -> Callable[[], int]:
    """How many bytes were fetched since it was asked last."""

    def since() -> int:
        found, Counting.fetched_bytes = Counting.fetched_bytes, 0
        return found

    since()
    return since


def test_only_the_columns_and_row_groups_of_need_are_fetched(fetched: Callable[[], int]) -> None:
    home = Home(f"counting://{uuid4().hex}")
    count = 50_000
    times = [FIRST_DAY + timedelta(seconds=n) for n in range(count)]
    wide = {f"c{n}": pa.array([(i * (n + 7)) % 99_991 for i in range(count)]) for n in range(50)}
    content = parquet(pa.table({"at": times, **wide}), row_group_size=5000, compression="none")
    home.put("wide.parquet", content)
    assert len(content) > 10_000_000
    source = home.source("wide.parquet")
    assert source.read(columns=["c7"]).info.rows == count
    whole_column = fetched()
    assert whole_column < len(content) / 2
    last = Window(times[-5000], times[-1])
    assert source.read(last, columns=["c7"]).info.rows_in_window == 4999
    assert fetched() < whole_column


def test_what_did_not_change_is_not_fetched_again(fetched: Callable[[], int]) -> None:
    home = Home(f"counting://{uuid4().hex}")
    days(home, 0, 1)
    source = home.source("data")
    before = source.fingerprint()
    assert fetched() > 0
    assert source.fingerprint() == before and fetched() == 0
    source.read(day(1))
    fetched()
    source.read(day(2))
    assert fetched() == 0  # both files are known to end before
    days(home, 2)
    assert source.fingerprint() != before
    assert 0 < fetched() <= home.place("data/day2.parquet").size()


# --- Stores that do not answer ---


class Refusing(Counting):
    """A store that fails at everything, and says too much about it."""

    error: Exception = OSError()

    def info(self, path: str, **more: Any) -> Any:
        raise self.error

    def find(self, path: str, **more: Any) -> Any:
        raise self.error

    def pipe_file(self, path: str, value: bytes, **more: Any) -> None:
        raise self.error


fsspec.register_implementation("refusing", Refusing, clobber=True)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(f"the key {SECRET} may not"), "access to refusing://a/b.csv is denied"),
        (TimeoutError(f"https://me:{SECRET}@host/x"), "the store gives no answer"),
        (RuntimeError(f"https://host/x?signature={SECRET}"), "the store gives no answer"),
        (type("NoCredentialsError", (Exception,), {})("none"), "access to .* is denied"),
    ],
)
def test_a_store_that_refuses_says_so_without_secrets(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Refusing, "error", error)
    home = Home("refusing://a", {"client_kwargs": {"api_key": SECRET}})
    with pytest.raises(SourceUnreadable, match=told) as caught:
        home.source("b.csv", None).read()
    assert SECRET not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert caught.value.__suppress_context__
    reports = ReportFolder(home.place("reports"))
    for use in (lambda: reports.write("a.html", "x"), lambda: reports.read("a.html")):
        with pytest.raises(StoreUnavailable) as refused:
            use()
        assert SECRET not in f"{refused.value} {refused.value.hint}"
    verdict = compare("refusing://a/b.csv", "refusing://a/c.csv")
    assert verdict.verdict is Verdict.UNDECIDED


def test_a_store_that_is_silent_is_not_waited_for(bucket: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        options = {
            "endpoint_url": address,
            "key": "someone",
            "secret": SECRET,
            "config_kwargs": {"read_timeout": 0.2},
        }
        with pytest.raises(SourceUnreadable, match="the store gives no answer") as caught:
            Home(bucket.url, options).source("a.csv").read()
    assert SECRET not in str(caught.value)


# --- What people write ---


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "a b.csv").write_text("n\n1\n")
    url = (tmp_path / "a b.csv").as_uri()
    assert place_of(url, Path("/nowhere")) == LocalPlace(tmp_path / "a b.csv")
    assert FileSource(SourceSettings(path=url), Path()).read().info.rows == 1
    with pytest.raises(AskedWrongly, match="another machine"):
        place_of("file://elsewhere/a.csv", Path())


@pytest.mark.parametrize(
    ("package", "url", "extra"),
    [("s3fs", "s3://a/b.csv", "s3"), ("gcsfs", "gs://a/b.csv", "gcs"),
     ("adlfs", "abfs://a/b.csv", "azure")],
)  # fmt: skip
def test_a_package_that_is_not_installed_is_named(package: str, url: str, extra: str) -> None:
    try:
        __import__(package)
    except ImportError:
        with pytest.raises(AskedWrongly, match=package) as caught:
            compare(url, url)
        assert f"drift-monitor[{extra}]" in caught.value.hint
    else:
        pytest.skip(f"{package} is installed")


def test_a_store_nobody_knows() -> None:
    with pytest.raises(AskedWrongly, match=r"there is no object store s4://; known are s3://"):
        compare("s4://a/b.csv", "s4://a/b.csv")


def test_a_password_in_an_address_is_not_shown() -> None:
    with pytest.raises(AskedWrongly, match=r"memory://a/b\.csv was written") as caught:
        compare(f"memory://me:{SECRET}@a/b.csv", "memory://c.csv")
    assert SECRET not in f"{caught.value} {caught.value.hint}"
    assert SECRET not in repr(SourceSettings(path=f"sftp://me:{SECRET}@host/a.csv"))


def written(folder: Path, text: str) -> Path:
    path = folder / "monitor.yaml"
    path.write_text(f"{text}\nmonitors: {{a: {{production: {{path: 's3://b/c', time: t}}}}}}\n")
    return path


@pytest.mark.parametrize("key", ["reports", "snapshots"])
def test_where_reports_and_snapshots_cannot_go(tmp_path: Path, key: str) -> None:
    for url in ("sftp://host/reports", "https://host/reports"):
        with pytest.raises(ConfigError, match=r"no object store that can be written to: s3://"):
            load_settings(written(tmp_path, f"{key}: {url}"))
    with pytest.raises(ConfigError, match="holds a password") as caught:
        load_settings(written(tmp_path, f"{key}: 's3://me:{SECRET}@bucket/x'"))
    assert SECRET not in str(caught.value)


def test_options_are_shared_by_kind_of_store_and_stay_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_SECRET", SECRET)
    text = "storage: {s3: {anon: false, secret: '${STORE_SECRET}'}, gs: {project: p}}"
    settings = load_settings(written(tmp_path, text))
    source = settings.monitors["a"].production
    assert source.storage == {"anon": False, "secret": SECRET}
    own = SourceSettings(path="s3://b", storage={"anon": True}).stored_in(settings.storage)
    assert own.storage == {"anon": True, "secret": SECRET}
    assert settings.stored("reports/").storage == {}
    assert SECRET not in repr(settings) + repr(own)
