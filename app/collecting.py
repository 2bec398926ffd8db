"""When Python looks for cycles among its objects: seldom, where pushes or imports make many and no cycles."""

import gc

COLLECTED_AFTER = (20_000, 20, 20)
"""Objects that come and go before the collector looks: a push makes tens of thousands, and no cycles among them."""


def collect_seldom() -> None:
    """From now on. What was loaded lives as long as the process: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)
