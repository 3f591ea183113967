"""A real Spark cluster of several processes on loopback, and a Spark Connect server beside it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

STARTS_WITHIN_S = 300.0
HOST = "127.0.0.1"


def home() -> Path:
    """The folder of Spark. Skips the test where Spark or Java is not installed."""
    pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed (extra `spark`)")
    if shutil.which("java") is None:
        pytest.skip("Java is not installed, and Spark needs it")
    return Path(pyspark.__file__).parent


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


def wait_until(done: Callable[[], bool], what: str, within_s: float = STARTS_WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline, f"{what} took longer than {within_s:g} s"
        time.sleep(0.05)


def listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


@dataclass
class Cluster:
    """A master and its workers; every process is ended by its id."""

    folder: Path
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def master(self) -> str:
        return f"spark://{HOST}:{self.port}"

    def start_master(self) -> None:
        self._start(
            "org.apache.spark.deploy.master.Master", "--port", str(self.port), memory="256m"
        )
        wait_until(lambda: listens(self.port), "the start of the master")

    def start_worker(self) -> subprocess.Popen[bytes]:
        work = self.folder / f"worker{len(self.processes)}"
        options = ["--cores", "1", "--memory", "1g", "--work-dir", str(work), self.master]
        return self._start("org.apache.spark.deploy.worker.Worker", *options, memory="256m")

    def start_connect(self) -> int:
        port = free_port()
        binding = "spark.connect.grpc.binding"
        conf = [f"{binding}.address={HOST}", f"{binding}.port={port}", *QUIET]
        self._run(
            [str(home() / "bin" / "spark-submit"), "--master", "local[2]"]
            + [part for each in conf for part in ("--conf", each)]
            + ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
            + ["spark-internal"],
            memory="512m",
        )
        wait_until(lambda: listens(port), "the start of the Connect server")
        return port

    def close(self) -> None:
        for process in reversed(self.processes):
            kill(process.pid)
            process.wait()

    def _start(self, main: str, *options: str, memory: str) -> subprocess.Popen[bytes]:
        command = [str(home() / "bin" / "spark-class"), main, "--host", HOST, "--webui-port", "0"]
        return self._run([*command, *options], memory)

    def _run(self, command: list[str], memory: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"process{len(self.processes)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment(memory), stdout=out, stderr=out
            )
        self.processes.append(process)
        return process


QUIET = (
    "spark.ui.enabled=false",
    "spark.ui.showConsoleProgress=false",
    "spark.sql.shuffle.partitions=2",
    "spark.python.worker.faulthandler.enabled=false",
)


def environment(memory: str) -> dict[str, str]:
    """Of a process of Spark: our interpreter, this host alone, no monitor to import but ours."""
    return {
        **os.environ,
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_HOME": str(home()),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_DAEMON_MEMORY": memory,
        "SPARK_DRIVER_MEMORY": memory,
        "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # quick to start
        "PYTHONWARNINGS": "ignore",
    }


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(p) for task in tasks for p in (task / "children").read_text().split()]
    except OSError:
        return []


def kill(pid: int) -> None:
    """End a process and what it started, without a word."""
    below = children(pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for child in below:
        kill(child)


@contextmanager
def running(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    cluster = Cluster(folder)
    try:
        cluster.start_master()
        for _ in range(workers):
            cluster.start_worker()
        yield cluster
    finally:
        cluster.close()
