"""Draw the report of a comparison alone, in a process that has drawn before: seconds and kilobytes.

`python -m benchmarks.drawing REFERENCE CURRENT` prints both as JSON.
"""

import json
import statistics
import sys
import time

from monitor.api import compare

DRAWS = 5


def main() -> None:
    reference, current = sys.argv[1:]
    result = compare(reference, current, exclude=["id"])
    size_kb = len(result.html().encode()) / 1000
    took_s = []
    for _ in range(DRAWS):
        began = time.perf_counter()
        result.html()
        took_s.append(time.perf_counter() - began)
    print(json.dumps({"wall_s": statistics.median(took_s), "page_kb": size_kb}))


if __name__ == "__main__":
    main()
