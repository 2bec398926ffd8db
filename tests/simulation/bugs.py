"""Faults planted in the product, to test the tester: each replaces one function for as long as it is planted.

They live here, in the tests, so that nothing in production can switch one on. Each is a mistake that this
product or another really made, or that the design names; the first line of each says which.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.simulation.bugs_of_access import OF_ACCESS
from tests.simulation.bugs_of_corrections import OF_CORRECTIONS
from tests.simulation.bugs_of_interleaving import INTERLEAVING
from tests.simulation.bugs_of_phones import OF_PHONES
from tests.simulation.bugs_of_pulls import OF_PULLS
from tests.simulation.bugs_of_pushes import OF_PUSHES
from tests.simulation.bugs_of_restores import OF_RESTORES
from tests.simulation.planting import Bug

_ALL = (*OF_PHONES, *OF_CORRECTIONS, *OF_RESTORES, *OF_PUSHES, *OF_PULLS, *OF_ACCESS)
BUGS: dict[str, Bug] = {bug.__name__: bug for bug in _ALL}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """The product with that fault in it; with none, as it is."""
    with ExitStack() as stack:
        for patch in (BUGS | INTERLEAVING)[name]() if name else ():
            stack.enter_context(patch)
        yield
