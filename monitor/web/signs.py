"""How a state is shown: its sign, and its word beside it. The signs are drawn in base.html.j2."""

from functools import cache

from markupsafe import Markup

_SIGN = Markup('<svg class="i {0}" aria-hidden="true" focusable="false"><use href="#s-{0}"/></svg>')
_WORD = Markup('<span class="word {0}">{1} {2}</span>')


@cache
def icon(state: str) -> Markup:
    return _SIGN.format(_class(state))


@cache
def word(state: str) -> Markup:
    return _WORD.format(_class(state), icon(state), state.capitalize())


def _class(state: str) -> str:
    return state.replace(" ", "-")
