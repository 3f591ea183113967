"""`monitor serve`: scheduler, pages and delivery in one process."""

import typer


def register(app: typer.Typer) -> None:
    pass
