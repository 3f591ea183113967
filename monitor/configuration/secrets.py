"""What settings hold that nothing may ever repeat."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr


def secrets_of(section: BaseModel) -> Iterator[str]:
    """Every secret of a section, at any depth.

    Fields that are kept out of `repr` hold one: an address that is one as a whole (`url`), an
    address with a password in it, or options of which each may be one.
    """
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if field.repr:
            yield from _within(value)
        elif isinstance(value, str):
            yield from (value,) if name == "url" else _password(value)
        else:
            yield from _texts(value)


def _within(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield from (value.get_secret_value(), *_password(value.get_secret_value()))
    elif isinstance(value, BaseModel):
        yield from secrets_of(value)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _within(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _within(one)


def _texts(value: object) -> Iterator[str]:
    """Every text below a mapping of options."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)


def _password(address: str) -> tuple[str, ...]:
    try:
        password = urlsplit(address).password if "://" in address else None
    except ValueError:
        return ()
    return (password,) if password else ()
