"""Asking an object store through fsspec: with which options, how patiently, what failures mean."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

from monitor.configuration.urls import TAKEN_WHOLE, scheme_of, without_secrets
from monitor.errors import AskedWrongly, MonitorError, SourceUnreadable

EXTRAS = {
    "s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure",
    "abfss": "azure",
}  # fmt: skip
# Patience of seconds, not of minutes, with a store that does not answer. Listings are never kept:
# files come and go under a running service.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "s3": {
        "use_listings_cache": False,
        "config_kwargs": {
            "connect_timeout": 5,
            "read_timeout": 20,
            "retries": {"mode": "standard", "total_max_attempts": 2},
        },
    },
    "gcs": {"use_listings_cache": False, "requests_timeout": 30},
    "azure": {"use_listings_cache": False, "connection_timeout": 5, "read_timeout": 30},
}
_TRIES = 2  # of s3fs, over those of the client below it
_MISTAKES = ("ParamValidationError", "TypeError", "InvalidEndpoint", "UnknownParameterError")
_SECRET_KEY = re.compile(r"secret|token|passw|key|credential|connection_string|sas", re.IGNORECASE)


class ObjectStore:
    """One store with its options: how it is asked, and what is told when it does not answer."""

    def __init__(self, scheme: str, filesystem: Any, host: str, options: Mapping[str, Any]) -> None:
        self.scheme = scheme
        self.fs = filesystem
        self._host = host
        self._secrets = _secrets_in(options)

    def key_of(self, text: str) -> str:
        return str(self.fs._strip_protocol(text))

    def shown(self, key: str) -> str:
        """A key as the URL that people know, without credentials."""
        if scheme_of(key):
            return without_secrets(key)
        return f"{self.scheme}://{self._host}{'/' if self._host else ''}{key.lstrip('/')}"

    def info(self, key: str) -> Mapping[str, Any]:
        """What the store knows of a file or folder; FileNotFoundError when there is none."""
        with self.asking(key):
            self.fs.invalidate_cache()
            return cast(Mapping[str, Any], self.fs.info(key))

    @contextmanager
    def asking(self, key: str, kind: type[MonitorError] = SourceUnreadable) -> Iterator[None]:
        """Every way in which a store can fail to answer, as an error without secrets.

        What is not there stays a FileNotFoundError: the caller knows whether that is normal.
        """
        try:
            yield
        except (FileNotFoundError, MonitorError):
            raise
        except Exception as error:
            name = type(error).__name__
            if isinstance(error, PermissionError) or re.search("credential|auth", name, re.I):
                raise kind(
                    f"access to {self.shown(key)} is denied: {self.told(error)}",
                    hint="credentials come from the environment, or from `storage:`",
                ) from None
            if name == "FileExpired":
                raise kind(f"{self.shown(key)} was replaced while it was read") from None
            if name in _MISTAKES:
                raise AskedWrongly(
                    f"{self.shown(key)} cannot be asked for: {self.told(error)}",
                    hint="are the name of the bucket and the options in `storage:` right?",
                ) from None
            told = f"the store gives no answer: {self.told(error)}"
            raise kind(f"{self.shown(key)}: {told}") from None

    def told(self, error: Exception) -> str:
        """An error in one line, without anything that was given in confidence."""
        text = " ".join(str(error).split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = re.sub(r"\w[\w+.-]*://[^\s'\")]+", lambda found: without_secrets(found[0]), text)
        return text[:300] or type(error).__name__


def open_store(text: str, options: Mapping[str, Any]) -> ObjectStore:
    """The store of a URL. Raises AskedWrongly for one that cannot be spoken to."""
    import fsspec

    scheme = scheme_of(text)
    if scheme in TAKEN_WHOLE and without_secrets(text) != text:
        raise AskedWrongly(
            f"{without_secrets(text)} was written with a password in it",
            hint="give credentials by the environment, or in monitor.yaml under `storage:`",
        )
    try:
        implementation = fsspec.get_filesystem_class(scheme)
    except ValueError:
        known = ", ".join(f"{name}://" for name in dict.fromkeys(("s3", "gs", "az", "https")))
        raise AskedWrongly(
            f"{without_secrets(text)}: there is no object store {scheme}://; known are {known}",
            hint="a path without :// is a file of this machine",
        ) from None
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        raise AskedWrongly(
            f"{without_secrets(text)} needs a package that is not installed: {error}",
            hint=f"pip install 'drift-monitor[{extra}]'" if extra else "",
        ) from None
    named = implementation._get_kwargs_from_urls(text)  # a host, a user
    defaults = _DEFAULTS.get(EXTRAS.get(scheme, ""), {})
    host = str(named.get("host") or "")
    whole = {**_merged(defaults, options), **named}
    return _connected(scheme, host, json.dumps(whole, default=str, sort_keys=True))


@lru_cache(maxsize=64)
def _connected(scheme: str, host: str, options_json: str) -> ObjectStore:
    """One client for all who ask the same store; nothing is asked of it yet."""
    import fsspec

    options = json.loads(options_json)
    try:
        filesystem = fsspec.filesystem(scheme, skip_instance_cache=True, **options)
    except Exception as error:
        told = ObjectStore(scheme, None, host, options).told(error)
        raise AskedWrongly(
            f"{scheme}:// cannot be opened: {told}", hint="are the options in `storage:` right?"
        ) from None
    if EXTRAS.get(scheme) == "s3":
        filesystem.retries = _TRIES
    return ObjectStore(scheme, filesystem, host, options)


def _merged(defaults: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options over defaults, and mappings inside them likewise."""
    both = {name: value for name, value in options.items() if isinstance(value, Mapping)}
    inner = {n: {**v, **both.get(n, {})} for n, v in defaults.items() if isinstance(v, Mapping)}
    return {**defaults, **options, **inner}


def _secrets_in(options: Mapping[str, Any], known: bool = False) -> list[str]:
    """The texts among the options that nobody is to see, the longest first."""
    found: list[str] = []
    for name, value in options.items():
        secret = known or _SECRET_KEY.search(name) is not None
        if isinstance(value, Mapping):
            found += _secrets_in(value, secret)
        elif isinstance(value, str) and secret and value:
            found.append(value)
    return sorted(found, key=len, reverse=True)
