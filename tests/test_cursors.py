"""A cursor says what was put into it, to the server that made it, and to nobody else: bytes alone, no store."""

import base64
from uuid import UUID

import pytest

from sync.cursor import BadCursor, Position, Positions, decode, encode

SERVER = UUID("0192f0c0-0000-7000-8000-0000000000ff")
KEY = b"a key for tests only"
EDGES = (0, 1, 127, 128, 255, 256, 16_383, 16_384, 2**32 - 1, 2**53 - 1, 2**64 - 1)
TEXT = "Ab89hBseA8o5HLSulfs4ddgBkvDAAABwAIAAAAAAAAD_AQUABwL_AYABgAF_AAH_____Dw"
"""A cursor as phones have it, of version 1. It stays readable, or VERSION changes."""
SAID = Positions(SERVER, {1: Position(5, 0, 7), 3: Position(255, 128, 128), 130: Position(0, 1, 2**32 - 1)})


def code_of(text: str, server: UUID = SERVER, key: bytes = KEY) -> str:
    with pytest.raises(BadCursor) as caught:
        decode(text, server, key)
    assert str(caught.value) == caught.value.code
    return caught.value.code


def test_a_cursor_that_phones_hold_is_still_read_and_still_made() -> None:
    assert decode(TEXT, SERVER, KEY) == SAID
    assert encode(SAID, KEY) == TEXT


@pytest.mark.parametrize("number", EDGES)
def test_every_number_comes_back_as_it_was_in_every_place(number: int) -> None:
    feeds = {number: Position(number, 2, 3), number + 1: Position(1, number, 3), 2 * number + 2: Position(1, 2, number)}
    assert decode(encode(Positions(SERVER, feeds), KEY), SERVER, KEY).feeds == feeds


@pytest.mark.parametrize("feeds", [{}, SAID.feeds])
def test_the_cursor_of_a_complete_page_is_told_from_one_that_more_pages_follow(feeds: dict[int, Position]) -> None:
    made = [Positions(SERVER, feeds, complete) for complete in (True, False)]
    assert [decode(encode(one, KEY), SERVER, KEY) for one in made] == made
    assert Positions(SERVER, feeds) == made[0] != made[1]


def test_the_order_in_which_feeds_are_named_makes_no_other_cursor() -> None:
    backwards = dict(reversed(SAID.feeds.items()))
    assert encode(Positions(SERVER, backwards), KEY) == TEXT


@pytest.mark.parametrize("feeds", range(4))
def test_a_cursor_of_any_length_and_ending_is_plain_text_that_needs_no_escaping(feeds: int) -> None:
    for tag in range(128):
        positions = Positions(SERVER, {feed: Position(2**21, tag=tag) for feed in range(feeds)})
        text = encode(positions, KEY)
        assert text.replace("-", "").replace("_", "").isalnum()
        assert decode(text, SERVER, KEY) == positions


@pytest.mark.parametrize("text", ["", "A", "!", "\0", "é", TEXT + "!", f"{TEXT[:8]}    {TEXT[8:]}", TEXT[:43]])
def test_what_is_no_cursor_is_unreadable(text: str) -> None:
    assert code_of(text) == "cursor_unreadable"


def test_a_cursor_of_another_version_is_unreadable_also_where_its_signature_holds() -> None:
    raw = base64.urlsafe_b64decode(TEXT + "==")
    assert code_of(base64.urlsafe_b64encode(b"\2" + raw[1:]).decode()) == "cursor_unreadable"


def test_a_cursor_of_another_server_is_foreign_whatever_it_was_signed_with() -> None:
    assert code_of(TEXT, server=UUID(int=1)) == code_of(TEXT, UUID(int=1), b"another") == "cursor_foreign"


def test_a_cursor_that_another_key_signed_is_forged() -> None:
    assert code_of(TEXT, key=b"another") == "cursor_forged"


def test_no_byte_of_a_cursor_can_be_changed_cut_off_or_added() -> None:
    raw = base64.urlsafe_b64decode(TEXT + "==")
    changed = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    cut = [raw[:length] for length in range(len(raw))]
    for forged in [*changed, *cut, raw + b"\0"]:
        code_of(base64.urlsafe_b64encode(forged).decode().rstrip("="))


def test_a_feed_nobody_has_read_is_read_from_its_beginning_and_proves_nothing() -> None:
    assert Position() == Position(seq=0, floor=0, tag=0)


def test_what_a_position_proves_is_the_further_of_what_was_read_and_where_a_reading_began() -> None:
    assert [Position(5, 0).proven, Position(5, 9).proven, Position(9, 5).proven] == [5, 9, 9]
