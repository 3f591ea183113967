"""Deeds that are asked for twice under one key and done once."""

from dataclasses import dataclass
from typing import Any

from monitor.errors import AskedWrongly
from monitor.ledger import Act, Once


@dataclass(frozen=True, slots=True)
class Key:
    """What a request that may come twice goes by."""

    key: str
    asker: str  # keys of one asker are not those of another
    asked: str  # digest of what is asked for


@dataclass(frozen=True, slots=True)
class Done:
    """A deed that was done now, with its secret if it made one; or what it got when it was."""

    act: Act | None = None
    secret: str | None = None
    before: Once | None = None


Planned = tuple[Act, str | None]  # with a secret that is told once


def kept(key: Key, act: Act, answer: Any) -> Once:
    """What is stored with a deed, for whoever asks for it again."""
    return Once(key.key, key.asker, key.asked, answer, act.entry.at)


def same(known: Once, key: Key | None) -> Once:
    """What a key got; AskedWrongly when it stood for something else."""
    if key is not None and known.asked != key.asked:
        raise AskedWrongly(
            "this key was used for another request",
            hint="a key stands for one request; make a new one for each",
        )
    return known
