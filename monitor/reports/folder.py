"""Reports as files in one folder, each written whole or not at all."""

import os
import re
import secrets
from pathlib import Path
from urllib.parse import quote

from monitor.errors import AskedWrongly

# No folder, no drive, no hidden file, nothing that a file system or a terminal takes amiss.
_NAME = re.compile(r'[^./\\:*?"<>|\s\x00-\x1f\x7f-\x9f][^/\\:*?"<>|\x00-\x1f\x7f-\x9f]*')
_LONGEST = 240  # bytes; file systems stop at 255


class ReportFolder:
    """Files in `root`; with a `base_url`, links lead to where the service shows them."""

    def __init__(self, root: Path, base_url: str = "") -> None:
        self.root = root
        self.base_url = base_url.rstrip("/")

    def write(self, name: str, content: str) -> str:
        """Write `name`, replacing an older one; a reader sees the old or the new, never a part.

        Raises AskedWrongly when the name would lead out of the folder.
        """
        target = self._target(name)
        self.root.mkdir(parents=True, exist_ok=True)
        part = self.root / f".{secrets.token_hex(8)}.part"
        try:
            with part.open("xb") as file:
                file.write(content.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync(self.root)
        return self.location(name)

    def location(self, name: str) -> str:
        """The link to a report, or its path when no service shows the folder."""
        target = self._target(name)
        return f"{self.base_url}/reports/{quote(name)}" if self.base_url else str(target)

    def _target(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or len(name.encode("utf-8", "replace")) > _LONGEST:
            raise AskedWrongly(
                f"{name!r} cannot be the file name of a report",
                hint="give the monitor a name of letters, digits, - and _",
            )
        return self.root / name


class Nowhere:
    """Keeps nothing: for a check that is to leave no trace."""

    def write(self, name: str, content: str) -> str:
        return ""

    def location(self, name: str) -> str:
        return ""


def _sync(folder: Path) -> None:
    """Make a rename survive a power cut, where folders can be synced at all."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
