"""Run the benchmarks and print one table: medians of whole processes, and ratios from one run."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.workload import write_pair

RUNS = 5
HERE = Path(__file__).parent


def process_s(arguments: Sequence[str]) -> float:
    """Wall time of one whole process; exit codes of a verdict are fine."""
    began = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, check=False)
    took_s = time.perf_counter() - began
    if done.returncode not in (0, 1, 2, 3):
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr.decode()}")
    return took_s


def median_s(measure: Callable[[], float]) -> float:
    """The median of RUNS measurements after one that does not count."""
    measure()
    return statistics.median(measure() for _ in range(RUNS))


def compare_against_floor(folder: Path, rows: int, columns: int) -> None:
    """`monitor compare` beside the floor, in turn, so that both meet the same machine."""
    reference, current = map(str, write_pair(folder, rows, columns))
    out = [f"--json={folder / 'out.json'}", f"--html={folder / 'out.html'}"]
    ours = [sys.executable, "-m", "monitor", "compare", reference, current, *out]
    floor = [sys.executable, str(HERE / "floor.py"), reference, current]
    process_s(ours), process_s(floor)
    pairs = [(process_s(ours), process_s(floor)) for _ in range(RUNS)]
    took, least = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    size = (folder / "out.html").stat().st_size / 1000
    name = f"compare {rows:,} x {rows:,} x {columns}".replace(",", " ")
    print(
        f"{name:44} {took:7.2f} s   {ratio:5.2f} x the floor ({least:.2f} s)   {size:.0f} kB page"
    )


def report_alone(folder: Path) -> None:
    """Drawing a 50-column check, in a process that has drawn before."""
    from monitor.api import compare

    reference, current = write_pair(folder, 20_000, 51)
    result = compare(reference, current)

    def draw_s() -> float:
        began = time.perf_counter()
        result.html()
        return time.perf_counter() - began

    print(
        f"{'report, 50 columns':44} {median_s(draw_s):7.3f} s   {len(result.html()) / 1000:.0f} kB"
    )


def main() -> None:
    start_s = median_s(lambda: process_s([sys.executable, "-m", "monitor", "--help"]))
    bare_s = median_s(lambda: process_s([sys.executable, "-c", "pass"]))
    print(f"{'monitor --help':44} {start_s:7.3f} s   {start_s / bare_s:5.2f} x a bare interpreter")
    with tempfile.TemporaryDirectory() as folder:
        report_alone(Path(folder))
        compare_against_floor(Path(folder), 100_000, 30)
        if "--large" in sys.argv:
            compare_against_floor(Path(folder), 1_000_000, 50)


if __name__ == "__main__":
    main()
