"""The other end of `matcher`, run as a script: patterns and texts in, which texts match out.

One JSON object a line: {"patterns": [...], "texts": [...], "limit_s": 60}. The answer is one line
with a list of 0 and 1 for each pattern. It ends with its input, or when one request takes longer
than its limit, so that nothing is left behind whatever becomes of the process that started it.
"""

import json
import re
import signal
import sys


def main() -> None:
    for line in sys.stdin.buffer:
        request = json.loads(line)
        _end_after(request["limit_s"])
        searches = [re.compile(pattern).search for pattern in request["patterns"]]
        found = [
            [int(search(text) is not None) for text in request["texts"]] for search in searches
        ]
        _end_after(0)
        sys.stdout.buffer.write(json.dumps(found).encode() + b"\n")
        sys.stdout.buffer.flush()


def _end_after(seconds: float) -> None:
    if hasattr(signal, "setitimer"):  # not on Windows, where only the parent's kill ends it
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main()
