"""What pydantic finds wrong with a configuration, in words and with the nearest valid key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from monitor.configuration.section import Section
from monitor.errors import AskedWrongly, nearest

Keys = tuple[str, ...]
Model = TypeVar("Model", bound=Section)

_WORDS = {
    "missing": "is required",
    "model_type": "should hold keys and values",
    "dict_type": "should hold keys and values",
    "mapping_type": "should hold keys and values",
    "too_short": "needs at least one entry",
    "tuple_type": "should be a list, like [a, b]",
    "string_type": "should be text; a number or true needs quotes",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "finite_number": "should be a finite number",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong, and where."""

    keys: Keys
    text: str
    hint: str = ""
    hides: bool = True  # what else is wrong at or below these keys follows from it


def checked(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Settings that were given one by one; AskedWrongly names every one that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = mistakes_of(error, model)
        told = [f"{'.'.join(m.keys)}: {m.text}" if m.keys else m.text for m in found]
        raise AskedWrongly("\n".join(told)) from None


def mistakes_of(error: ValidationError, root: type[BaseModel]) -> list[Mistake]:
    """Every mistake of a validation error, without the values that were given.

    `root` is the model that was validated; discriminator tags begin with `<`.
    """
    found = []
    for item in error.errors(include_input=False, include_url=False):
        where = tuple(str(part) for part in item["loc"])
        keys = tuple(part for part in where if not part.startswith("<") and part != "[key]")
        unknown = item["type"] == "extra_forbidden"
        found.append(Mistake(keys, _unknown(keys, root) if unknown else _words(item)))
    return found


def _words(item: Any) -> str:
    told: str = _WORDS.get(item["type"]) or item["msg"]
    return told.removeprefix("Value error, ").replace("Input should be", "should be")


def _unknown(keys: Keys, root: type[BaseModel]) -> str:
    model = _model_at(keys[:-1], root)
    if model is None:
        return "unknown key"
    known = _fields(model)
    home = next((name for name, inner in known.items() if _holds(inner, keys[-1])), None)
    if model is not root and not home and _holds(root, keys[-1]):
        return f"unknown key here; it belongs at the top, not under `{'.'.join(keys[:-1])}:`"
    near = nearest(keys[-1], known)
    if near:
        return f"unknown key; did you mean `{near}`?"
    if home:
        return f"unknown key here; it belongs under `{home}:`"
    return f"unknown key; known are {', '.join(known)}"


def _model_at(keys: Keys, root: type[BaseModel]) -> type[BaseModel] | None:
    """The model that describes a place of the document."""
    model: type[BaseModel] | None = root
    for part in keys:
        if model is None:
            return None
        known = _fields(model)
        if part in known:  # else a free name (a monitor, a column) or a place in a list
            model = known[part]
    return model


def _fields(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """The keys that people may write, and the model of what stands below each, if any."""
    return {
        field.alias or name: next(_models_in(field.annotation), None)
        for name, field in model.model_fields.items()
        if not field.exclude
    }


def _holds(model: type[BaseModel] | None, key: str) -> bool:
    return model is not None and key in _fields(model)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models mentioned in a type, outermost first."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
