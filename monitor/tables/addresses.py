"""What people write for a place: a path of this machine, or a URL of an object store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from monitor.configuration.urls import scheme_of
from monitor.errors import AskedWrongly
from monitor.tables.local_files import LocalPlace
from monitor.tables.places import Place


def place_of(text: str, root: Path, storage: Mapping[str, Any] | None = None) -> Place:
    """The place that people wrote down; a relative path is relative to `root`.

    `storage` are the options of the store. Raises AskedWrongly for a store that is not known,
    or whose package is not installed.
    """
    scheme = scheme_of(text)
    if not scheme:
        return LocalPlace(root / Path(text).expanduser())
    if scheme == "file":
        return LocalPlace(_local_path(text))
    from monitor.tables.object_storage import stored_place

    return stored_place(text, storage or {})


def _local_path(text: str) -> Path:
    url = urlsplit(text)
    if url.netloc not in ("", "localhost"):
        raise AskedWrongly(
            f"{text} names a file of another machine",
            hint="a file of this one has three slashes: file:///data/train.parquet",
        )
    return Path(url2pathname(text.split("://", 1)[1].removeprefix(url.netloc)))
