"""The arithmetic that tests share: null laws, bounds at the tolerance, two shares of rows."""

from importlib import import_module


def prepare() -> None:
    """Load the distributions, which takes a while, ahead of their first use."""
    import_module("scipy.special")
