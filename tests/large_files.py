"""Small files that count as large ones, so that they are streamed."""

import pytest


def hold_at_most(values: int, patch: pytest.MonkeyPatch) -> None:
    """Stream files with more values (rows times columns) than this."""
    patch.setattr("monitor.sources.files.HELD_VALUES", values)
    patch.setattr("monitor.sources._files_scan.HELD_VALUES", values)
    patch.setattr("monitor.sources._files_scan.SMALL_BYTES", 0)
