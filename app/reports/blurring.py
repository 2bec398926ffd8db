"""What is counted, for who looks at a community from outside it: too little to find anybody by."""

HIDDEN_BELOW = 5
"""People of whom there are fewer could be found out by whoever doesn't know them already."""


def blurred(many: int) -> int | None:
    """None below HIDDEN_BELOW, unless it is nothing; otherwise to the nearest multiple of it.

    What is told of a number depends on that number alone, so that no two answers (a whole and its parts, one area after
    another, one tag and both) differ by what neither tells. Whoever asks may have a role by which they can list these
    people one by one; a report travels further than its reader.
    """
    if 0 < many < HIDDEN_BELOW:
        return None
    return HIDDEN_BELOW * ((2 * many + HIDDEN_BELOW) // (2 * HIDDEN_BELOW))
