"""Notes that two people changed: sentences that one side changed stay changed, and nothing is made up."""

from collections import Counter

from sync.merge import CONTESTED, Fork, Settled, sentences, text

SEPARATOR = "\x1e"
SEEDS = [
    "\x01甲。乙。丙。\x1e甲。乙改。丙。\x1e甲。乙。丙。丁。".encode(),
    "\x01甲。乙。\x1e甲。丁。乙。\x1e甲。戊。乙。".encode(),
    "\x01一\n二\n三\x1e一\n三\x1e一\n二\n三!".encode(),
    "\x00旧。事。\x1e新。\x1e末。尾\x1e换。了".encode(),
    b"\x01\x1e\x1e",
]
WORDS = [word.encode() for word in ("。", "！", "？", "；", "\n", SEPARATOR, "甲。", "乙。")]


def attempt(data: bytes) -> None:
    """Three arbitrary texts; or four parts, of which each side rewrites one."""
    parts = data[1:].decode("utf-8", "surrogateescape").split(SEPARATOR)
    if data[:1] == b"\0" and len(parts) == 4:
        require_both_kept(*parts)
    elif len(parts) == 3:
        require_nothing_lost(*parts)


def require_nothing_lost(base: str, held: str, arriving: str) -> None:
    """What holds of any three texts."""
    result = settled(base, held, arriving)
    assert result == settled(base, arriving, held)
    if held in (base, arriving):
        assert result == arriving
    elif base == arriving:
        assert result == held
    if isinstance(result, str):
        before, ours, theirs, merged = (Counter(sentences(each)) for each in (base, held, arriving, result))
        for sentence in ours | theirs:
            assert merged[sentence] <= ours[sentence] + theirs[sentence]
            if sentence not in before:
                assert merged[sentence] >= max(ours[sentence], theirs[sentence])
        assert merged.keys() <= ours.keys() | theirs.keys()


def require_both_kept(first: str, first_edited: str, last: str, last_edited: str) -> None:
    """One rewrites the beginning, the other the end, around a sentence that nobody touches."""
    keep = "\x1f不动。"
    first, first_edited = (each and each + "。" for each in (first, first_edited))
    base, held, arriving, both = (
        first + keep + last,
        first_edited + keep + last,
        first + keep + last_edited,
        first_edited + keep + last_edited,
    )
    beginning, end = (
        {*sentences(one), *sentences(other)} for one, other in ((first, first_edited), (last, last_edited))
    )
    if keep not in beginning | end and not beginning & end:
        assert settled(base, held, arriving) == both


def settled(base: str, held: str, arriving: str) -> Settled:
    result = text.settle(Fork(held, arriving, base))
    assert result is CONTESTED or isinstance(result, str)
    assert text.settle(Fork(held, arriving, base, base_known=False)) is CONTESTED
    return result
