"""`python -m app.benchmark serve`: as `qiaomen serve`, with the floor."""

import typer

from app.benchmark.floor import create_floor
from app.commands import running
from app.demo.processes import HOST

command = typer.Typer()


@command.callback()
def floor() -> None:
    """So that `serve` is said, as it is to `qiaomen`."""


@command.command()
def serve(host: str = HOST, port: int = 8000, workers: int = 1) -> None:
    """Serves until it is told to stop."""
    running.serve(host, port, workers, create_floor)


if __name__ == "__main__":
    command()
