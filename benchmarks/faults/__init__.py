"""What the service is put through (kills, races, jumping clocks), and what it takes at rest."""

import sys
from pathlib import Path

# The small projects, the receiver and the PostgreSQL server that the tests use serve here, too.
sys.path.append(str(Path(__file__).parents[2] / "tests"))
