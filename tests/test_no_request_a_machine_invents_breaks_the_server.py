"""Every operation of the published document under invented requests and conversations, on both stores.

A few of them here, where each collection's routes are tried on one store or the other, and those for clients that know
only GET and POST with some; `python -m tests.fuzz api` tries thousands of all of them, with other seeds.
"""

from app.collections import COLLECTIONS
from tests.fuzz.api import fuzz_api
from tests.in_turn import ALIKE, is_turn_of


def test_no_request_and_no_conversation_breaks_the_server_or_the_document(database_url: str, store: str) -> None:
    elsewhere = sorted(name for name in COLLECTIONS if not is_turn_of(store, name))
    fuzzed = fuzz_api(database_url, seed=1, examples=2, without=elsewhere, plainly=sorted(ALIKE))
    assert not fuzzed.failures, "\n".join(f"* {place}\n{example}" for place, example in fuzzed.failures.items())
    assert fuzzed.faults == 0
    # It got somewhere: things were made, changed, read again and deleted.
    assert {"coverage", "fuzzing", "stateful"} <= {phase for phase, count in fuzzed.cases.items() if count}
    assert {200, 201, 204, 400, 404, 409, 412, 422} <= fuzzed.statuses.keys()
