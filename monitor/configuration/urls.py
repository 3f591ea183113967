"""Addresses of object stores as people write them, and as they may be shown."""

import re

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # two letters or more: C: is a drive
_WEB = ("http", "https")

# Stores that take a file whole or not at all, however large it is.
TAKEN_WHOLE = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory")


def scheme_of(text: str) -> str:
    """What stands before ://, in small letters; empty for a path of this machine.

    >>> scheme_of("s3://bucket/data/*.parquet"), scheme_of("C:/data")
    ('s3', '')
    """
    found = _URL.match(text)
    return found[1].lower() if found else ""


def without_secrets(text: str) -> str:
    """A URL without `user:password@`; on the web also without what follows a question mark.

    >>> without_secrets("sftp://ada:lovelace@host/data"), without_secrets("data/*.csv")
    ('sftp://host/data', 'data/*.csv')
    >>> without_secrets("https://host/a.csv?signature=secret")
    'https://host/a.csv'
    """
    scheme = scheme_of(text)
    if scheme in _WEB:
        return re.sub(r"(?<=://)[^/?#]*@", "", re.split(r"[?#]", text, maxsplit=1)[0])
    return re.sub(r"(?<=://)[^/@:]*:[^/]*@", "", text) if scheme else text
