"""Every operation of the published document under invented requests and conversations, on both stores.

A few of them here; `python -m tests.fuzz api` tries thousands, with other seeds.
"""

from tests.fuzz.api import fuzz_api


def test_no_request_and_no_conversation_breaks_the_server_or_the_document(database_url: str) -> None:
    fuzzed = fuzz_api(database_url, seed=1, examples=3)
    assert not fuzzed.failures, "\n".join(f"* {place}\n{example}" for place, example in fuzzed.failures.items())
    assert fuzzed.faults == 0
    # It got somewhere: things were made, changed, read again and deleted.
    assert {"coverage", "fuzzing", "stateful"} <= {phase for phase, count in fuzzed.cases.items() if count}
    assert {200, 201, 204, 400, 404, 409, 412, 422} <= fuzzed.statuses.keys()
