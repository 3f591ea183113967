"""A YAML text with the line of every key, ${NAME} filled in, and every mistake noted."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from monitor.configuration.mistakes import Keys, Mistake
from monitor.errors import ConfigError, PathNotFound

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}\n]*))?\}")
_MARK = 0xF0000  # private characters: no YAML syntax, and nobody writes them
_MASKABLE = 0x10000
MOST_VALUES = 50_000  # far beyond a thousand monitors
_TAG = "tag:yaml.org,2002:"
_SCALARS: Mapping[str, Callable[[str], object]] = {
    f"{_TAG}null": lambda text: None,
    f"{_TAG}bool": lambda text: text.lower() == "true",
    f"{_TAG}int": int,
    f"{_TAG}float": lambda text: float(text.replace(".inf", "inf").replace(".nan", "nan")),
}
_TEXTS = {f"{_TAG}str", f"{_TAG}value", f"{_TAG}merge"}


class _Loader(yaml.SafeLoader):
    """YAML without surprises: dates stay text, and only true and false are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag in (f"{_TAG}null", f"{_TAG}merge")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"(?i:true|false)$"), list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.inf$|\.nan$"),
    list("-+.0123456789"),
)


@dataclass(slots=True, eq=False)
class Document:
    """A configuration as it was written; `filled` holds what came from the environment."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Keys, int] = field(default_factory=dict)
    filled: dict[Keys, dict[str, str]] = field(default_factory=dict, repr=False)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, keys: Keys) -> int:
        """The line of a key, or of the nearest one around it."""
        known = (keys[:n] for n in range(len(keys), -1, -1))
        return next((self.lines[part] for part in known if part in self.lines), 1)

    def place(self, keys: Keys) -> str:
        """`monitor.yaml:12: monitors.loans.drift`."""
        return f"{self.name}:{self.line(keys)}: {'.'.join(keys) or 'the configuration'}"

    def refuse(self, mistakes: Sequence[Mistake]) -> None:
        """Raise ConfigError when there is any mistake: a line for each, in the file's order."""
        found = [*self.mistakes, *(m for m in mistakes if not self._hidden(m.keys))]
        found.sort(key=lambda m: self.line(m.keys))
        told = [f"{self.place(m.keys)}: {self._discreet(m)}" for m in found]
        hints = [m.hint for m in found if m.hint]
        if told:
            raise ConfigError("\n".join(dict.fromkeys(told)), hint="\n".join(dict.fromkeys(hints)))

    def _hidden(self, keys: Keys) -> bool:
        return any(m.hides and keys[: len(m.keys)] == m.keys for m in self.mistakes)

    def _discreet(self, mistake: Mistake) -> str:
        """The text without any value that came from the environment."""
        text = mistake.text
        for keys, values in self.filled.items():
            shorter = min(len(keys), len(mistake.keys))
            if keys[:shorter] == mistake.keys[:shorter]:
                for name, value in values.items():
                    text = text.replace(value, f"${{{name}}}") if value else text
        return text


def read_document(path: Path, environment: Mapping[str, str]) -> Document:
    """Read a configuration; ConfigError when it is no YAML, PathNotFound when it is not there.

    1. Every `${NAME}` is masked, so that it is plain text wherever it stands: also unquoted in
       braces, and no value of the environment is ever read as YAML.
    2. The text is parsed; every key gets its line. What is empty, stands twice or cannot be read
       is noted, not raised: `refuse` tells all mistakes together.
    3. `${NAME}` and `${NAME:-default}` are filled in. A name that is not set (or empty) and has no
       default is a mistake, never an empty secret.
    """
    document = Document(str(path))
    masked = _VARIABLE.sub(lambda match: _masked(match[0]), _text_of(path))
    try:
        loader = _Loader(masked)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError(
                f"{path}: expected keys like `monitors:`, found none",
                hint="`monitor init` writes a configuration to start from",
            )
        document.values = _Walk(document, loader, environment).value(root, ())
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from None
    except RecursionError:
        raise ConfigError(f"{path}: keys are nested too deep to be a configuration") from None
    return document


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise PathNotFound(
            f"there is no configuration {path}", hint="`monitor init` writes one to start from"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} cannot be read: it is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


class _Walk:
    """Turns nodes into values and notes on the way what `Document` keeps."""

    def __init__(self, document: Document, loader: _Loader, environment: Mapping[str, str]) -> None:
        self._document = document
        self._loader = loader
        self._environment = environment
        self._open: list[yaml.Node] = []  # the nodes around the one at hand
        self._left = MOST_VALUES

    def value(self, node: yaml.Node, where: Keys) -> Any:
        self._document.lines.setdefault(where, node.start_mark.line + 1)
        self._left -= 1
        if self._left < 0:  # aliases of aliases: a small text that says without end
            raise ConfigError(f"{self._document.name}: says more than {MOST_VALUES} things")
        if any(node is around for around in self._open):
            self._note(where, "refers to itself")
            return None
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, where)
            if isinstance(node, yaml.SequenceNode):
                return [self._item(item, (*where, str(i))) for i, item in enumerate(node.value)]
            return self._scalar(node, where)
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, where: Keys) -> dict[str, Any]:
        self._note_repeated(node, where)
        self._loader.flatten_mapping(node)  # `<<: *defaults`
        found = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._note(where, "a key is one word")
                continue
            at = (*where, _unmasked(key.value))
            self._document.lines[at] = key.start_mark.line + 1
            if not _is_null(value):
                found[at[-1]] = self.value(value, at)
            else:
                self._note(at, "is empty: give it a value, or remove the key")
        return found

    def _item(self, node: yaml.Node, where: Keys) -> Any:
        if _is_null(node):
            self._document.lines[where] = node.start_mark.line + 1
            self._note(where, "is empty; the word null needs quotes")
        return self.value(node, where)

    def _note_repeated(self, node: yaml.MappingNode, where: Keys) -> None:
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in first:
                    text = f"stands here twice: on line {first[key.value]} and on line {line}"
                    self._note((*where, _unmasked(key.value)), text, hides=False)
                first.setdefault(key.value, line)

    def _scalar(self, node: yaml.Node, where: Keys) -> Any:
        text = _unmasked(node.value)
        if text != node.value:
            return self._filled(text, where)
        if "${" in text:
            self._note(where, "holds a `${` that is no variable; write ${NAME} or ${NAME:-default}")
        if node.tag in _TEXTS:
            return text
        try:
            return _SCALARS[node.tag](text)
        except KeyError:
            self._note(where, f"has a tag that is not understood here: {node.tag}")
        except ValueError:
            self._note(where, f"is not what its tag says: {node.tag.removeprefix(_TAG)}")
        return None

    def _filled(self, text: str, where: Keys) -> str:
        used = self._document.filled.setdefault(where, {})

        def lookup(match: re.Match[str]) -> str:
            name, default = match[1], match[2]
            value = self._environment.get(name) or default
            if value is None:
                state = "empty" if name in self._environment else "not set"
                text = f"needs the environment variable {name}, which is {state}"
                self._note(where, text, f"export {name}=... before starting")
                return ""
            used[name] = value
            return value

        return _VARIABLE.sub(lookup, text)

    def _note(self, where: Keys, text: str, hint: str = "", *, hides: bool = True) -> None:
        self._document.mistakes.append(Mistake(where, text, hint, hides))


def _masked(text: str) -> str:
    return "".join(chr(ord(c) + _MARK) if ord(c) < _MASKABLE else c for c in text)


def _unmasked(text: str) -> str:
    return "".join(chr(ord(c) - _MARK) if ord(c) >= _MARK else c for c in text)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}null"


def _not_yaml(path: Path, error: yaml.YAMLError) -> ConfigError:
    """Where and what, without the text of the line: it may hold a secret."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return ConfigError(f"{path}: this is not YAML: {str(error).partition(chr(10))[0]}")
    mark = error.problem_mark
    told = ", ".join(part for part in (error.context, error.problem) if part)
    alias = "alias" in told or "anchor" in told
    return ConfigError(
        f"{path}:{mark.line + 1}: this is not YAML (column {mark.column + 1}): {_unmasked(told)}",
        hint="a value that begins with * or & needs quotes" if alias else "",
    )
