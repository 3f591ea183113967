"""Reports as files in one folder, each written whole or not at all."""

import re
from collections.abc import Collection
from urllib.parse import quote

from monitor.errors import AskedWrongly, CouldNotLook, StoreUnavailable
from monitor.tables.places import Place

# No folder, no drive, no hidden file, nothing that a file system or a terminal takes amiss.
_NAME = re.compile(r'[^./\\:*?"<>|\s\x00-\x1f\x7f-\x9f][^/\\:*?"<>|\x00-\x1f\x7f-\x9f]*')
_LONGEST = 240  # bytes; file systems stop at 255


class ReportFolder:
    """Files in `root`; with a `base_url`, links lead to where the service shows them."""

    def __init__(self, root: Place, base_url: str = "") -> None:
        self.root = root
        self.base_url = base_url.rstrip("/")

    def write(self, name: str, content: str) -> str:
        """Write `name`, replacing an older one; a reader sees the old or the new, never a part.

        Raises AskedWrongly when the name would lead out of the folder.
        """
        self._target(name).write(content.encode("utf-8"), "text/html; charset=utf-8")
        return self.location(name)

    def read(self, name: str) -> bytes | None:
        """A report as it was written; None when there is none, or a link leads out of the folder.

        StoreUnavailable when the folder lies in an object store that cannot be asked.
        """
        try:
            return self._target(name).read() if self.holding([name]) else None
        except (AskedWrongly, OSError):
            return None
        except CouldNotLook as error:
            raise StoreUnavailable(str(error), hint=error.hint) from None

    def holding(self, names: Collection[str]) -> set[str]:
        """Those of the names of which there is a report."""
        try:
            return self.root.holding([name for name in names if _is_name(name)])
        except CouldNotLook as error:
            raise StoreUnavailable(str(error), hint=error.hint) from None

    def remove(self, name: str) -> None:
        """Delete a report; what cannot be the name of one was never written."""
        if not _is_name(name):
            return
        try:
            self._target(name).remove()
        except OSError as error:
            raise StoreUnavailable(f"{name} cannot be deleted: {error.strerror}") from None

    def location(self, name: str) -> str:
        """The link to a report, or its path when no service shows the folder."""
        target = self._target(name)
        return f"{self.base_url}/reports/{quote(name)}" if self.base_url else str(target)

    def _target(self, name: str) -> Place:
        if not _is_name(name):
            raise AskedWrongly(
                f"{name!r} cannot be the file name of a report",
                hint="give the monitor a name of letters, digits, - and _",
            )
        return self.root.child(name)


class Nowhere:
    """Keeps nothing: for a check that is to leave no trace."""

    def write(self, name: str, content: str) -> str:
        return ""

    def location(self, name: str) -> str:
        return ""

    def read(self, name: str) -> bytes | None:
        return None

    def holding(self, names: Collection[str]) -> set[str]:
        return set()

    def remove(self, name: str) -> None:
        return None


def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and len(name.encode("utf-8", "replace")) <= _LONGEST
