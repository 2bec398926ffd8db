"""One file per collection. Importing this package registers them all, in the order they may be locked."""

from importlib import import_module
from pkgutil import iter_modules

from app.collections.base import REGISTRY, Collection

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

COLLECTIONS: dict[str, Collection] = {
    name: REGISTRY[name] for name in sorted(REGISTRY, key=lambda name: (name in ("conflicts", "duplicates"), name))
}
"""By name; conflicts and duplicates last, because they change while the records they are about are locked."""
