"""What is counted, for who looks at a community from outside it: too little to find anybody by."""

HIDDEN_BELOW = 5
"""People of whom there are fewer could be found out by whoever doesn't know them already."""
STEP = 10
"""All else is told in steps of this: of two parts below HIDDEN_BELOW, a whole told to the nearest five would say that
both are four.
"""


def blurred(many: int) -> int | None:
    """None below HIDDEN_BELOW, also of nothing; otherwise to the nearest multiple of STEP.

    What is told of a number depends on that number alone, so that no two answers (a whole and its parts, one area after
    another, one tag and both) differ by what neither tells. Whoever asks may have a role by which they can list these
    people one by one; a report travels further than its reader.
    """
    return None if many < HIDDEN_BELOW else STEP * ((2 * many + STEP) // (2 * STEP))
