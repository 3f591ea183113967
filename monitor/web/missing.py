"""What was asked for and is not there, and what is."""

from collections.abc import Iterable

from monitor.errors import UnknownName


class Missing(UnknownName):
    """Something named in an address is not there; `listing` is (name, address) of what is."""

    def __init__(self, what: str, name: str, known: Iterable[tuple[str, str]]) -> None:
        self.listing = tuple(known)
        self.short = f"there is no {what} named {name!r}"
        super().__init__(what, name, [name for name, _ in self.listing])
