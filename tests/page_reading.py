"""Reads a page as a browser would, and refuses what none of our pages may hold."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "img", "hr"}
SHAPES = {"svg", "symbol", "g", "use", "rect", "circle", "path", "text", "title", "a"}
ELEMENTS = {
    "html", "head", "body", "meta", "link", "script", "title", "noscript", "header", "nav", "main",
    "section", "h1", "h2", "p", "ul", "ol", "li", "dl", "dt", "dd", "div", "span", "b", "code",
    "pre", "time", "table", "caption", "thead", "tbody", "tr", "th", "td", "form", "label",
    "input", "select", "option", "textarea", "button", "fieldset", "legend", "details", "summary",
    "br", "a",
} | SHAPES  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "name", "content", "http-equiv", "rel", "href", "src", "defer", "class",
    "id", "tabindex", "title", "role", "aria-label", "aria-labelledby", "aria-current",
    "aria-hidden", "focusable", "method", "action", "type", "value", "placeholder", "required",
    "maxlength", "rows", "size", "readonly", "selected", "checked", "autocomplete", "spellcheck",
    "autofocus", "for", "scope", "colspan", "datetime", "data-th", "data-live", "data-root",
    "data-filter", "data-two", "data-select",
    "viewbox", "width", "height", "x", "y", "dx", "cx", "cy", "r", "d", "transform",
    "preserveaspectratio", "stroke-dasharray",
}  # fmt: skip
OURS = {"/live.js"}


@dataclass
class Form:
    """Where a form goes, and what it holds before anybody types."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """A page that is well formed and holds only what our templates write."""

    def __init__(self, text: str, root: str = "") -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.labels: list[str] = []  # what is read aloud, or shown when the pointer rests
        self.text: list[str] = []
        self._open: list[str] = []
        self._root = root
        self._ids: set[str] = set()
        self.feed(text)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def form(self, action: str, **holding: str) -> Form:
        """The first form of a deed that holds these values."""
        return next(
            f
            for f in self.forms
            if f.action == f"{self._root}{action}" and holding.items() <= f.fields.items()
        )

    def offers(self, action: str) -> bool:
        return any(f.action == f"{self._root}{action}" for f in self.forms)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS, f"<{tag}> is none of ours"
        given = dict(attrs)
        assert len(given) == len(attrs), f"<{tag}> says something twice: {attrs}"
        self._look(tag, given)
        if tag == "form":
            self.forms.append(Form(given["action"] or ""))
        if tag in ("input", "textarea", "select") and given.get("name") and "form" in self._open:
            self.forms[-1].fields.setdefault(given["name"] or "", given.get("value") or "")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES, f"<{tag}/> is no shape"
        self._look(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"</{tag}> in {self._open}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def _look(self, tag: str, given: dict[str, str | None]) -> None:
        assert given.keys() <= ATTRIBUTES, f"<{tag}> has {given.keys() - ATTRIBUTES}"
        self.labels += [v or "" for k, v in given.items() if k in ("title", "aria-label")]
        for name in ("href", "src", "action"):
            if (link := given.get(name)) is not None:
                inside = link.startswith(("/", "#", "data:,"))
                assert inside and not link.startswith("//"), f"<{tag} {name}={link!r}> leads away"
                self.links.append(link)
        if tag == "script":
            assert given["src"] in {self._root + src for src in OURS}
        if (own := given.get("id")) is not None:
            assert own not in self._ids, f"two elements are called {own}"
            self._ids.add(own)
