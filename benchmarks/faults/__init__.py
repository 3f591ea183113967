"""What the service is put through: processes killed, raced, cut off, and clocks that jump."""

import sys
from pathlib import Path

# The small projects, the receiver and the PostgreSQL server that the tests use serve here, too.
sys.path.append(str(Path(__file__).parents[2] / "tests"))
