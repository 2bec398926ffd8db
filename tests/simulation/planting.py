"""How a fault is planted: a function of the product in other words, or in none."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

Patch = AbstractContextManager[Any]
Bug = Callable[[], list[Patch]]


def instead(path: str, function: Any) -> Patch:
    """That name is something else meanwhile."""
    return patch(path, function)


def wrapped(path: str, around: Callable[..., Any]) -> Patch:
    """That function is called by `around`, which gets it first."""
    original = _found(path)
    return patch(path, lambda *arguments, **options: around(original, *arguments, **options))


def _found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        owner = __import__(module, fromlist=[name])
    except ModuleNotFoundError:
        owner = _found(module)
    return getattr(owner, name)
