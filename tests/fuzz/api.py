"""Schemathesis against the document we publish: every operation, valid and invalid data, whole conversations."""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree
from schemathesis.python.asgi import shutdown_lifespans

from app.main import create_app
from app.problems import CATALOGUE
from app.record_routes import OVERRIDE
from sync.canonical import LARGEST_INTEGER
from tests.fuzz.conversations import linked
from tests.fuzz.served import Served, led_somewhere

NO_SCHEMA_SAYS = {
    "stale": "whether an If-Match is the newest rev",
    "already_there": "whether there is a record, of this rev, that an If-None-Match wants none of",
    "cursor_unreadable": "what a cursor is: opaque text of this server's making",
    "cursor_forged": "likewise",
    "cursor_foreign": "likewise",
    "reference_not_found": "which records there are",
    "area_without_feed": "which level of the tree an area has, and whether it is a team",
    "once_changed": "what the record holds",
    "check_digit": "how a number's last digit is made",
    "nobody_responsible": "whether somebody is left of a plan's people, after two have each taken one off",
    "no_approval": "that an approval says something",
    "questions_invalid": "what JSON Schema is",
    "no_legal_basis": "which tags are sensitive",
    "merge_into_itself": "which record the address names",
    "dates_backward": "which of two days comes first",
    "unknown_collection": "which collections there will be",
    "nul_in_text": "that no text anywhere holds U+0000: PostgreSQL can't keep it",
    "too_deep": "how deep any JSON may be nested",
    "integer_too_large": "how large a number in any JSON may be",
    "number_not_whole": "likewise",
    "key_not_allowed": "how a key in any JSON may be spelled",
}
"""Why valid data may be refused all the same. Any other problem of a valid request is a fault of document or server."""

CONFIG: dict[str, Any] = {
    "continue-on-failure": True,
    # Valid requests only, or hardly a conversation gets beyond its first sentence.
    "phases": {"stateful": {"max-steps": 12, "generation": {"mode": "positive"}}},
    "checks": {
        # The rev is compared before the body is looked into, so 412 may come first; 413 is a body that is too large.
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422"]
        },
    },
}
THAT_MUST_AGREE = {"/fields/birth_date", "/fields/id_number"}
THAT_MUST_DIFFER, THAT_MUST_FOLLOW = {"/fields/parent_id"}, {"/fields/until"}
"""From the organisation that it is the parent of; on the day on which that began."""
WITH_A_DATE_INSIDE = {"/fields/id_number"}
"""No pattern says which of its digits make a day that there is."""
IN_ONE_COMMUNITY = {"/area_id"}
"""A duty list is."""
OF_ONE_CAMPAIGN = {"/fields/approval", "/fields/keep_until", "/fields/questions", "/fields/until"}
"""An approval that says something, days in their order, and questions in JSON Schema: some of it, or all at once."""
OF_ONE_GROUND = {"/fields/basis", "/fields/until"}
"""A sensitive tag's basis, and days in their order."""
RULES = (THAT_MUST_AGREE, THAT_MUST_DIFFER, THAT_MUST_FOLLOW, WITH_A_DATE_INSIDE, IN_ONE_COMMUNITY)
TOLERANT = ("/v1/sync", "/v1/sync/push")
"""One bad mutation must not sink its neighbours: the answer is 200, and the mutation's own outcome `refused`."""


@dataclass
class Fuzzed:
    """What one seed did."""

    cases: Counter[str] = field(default_factory=Counter)
    """By phase."""
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    """Operation and check → one example."""

    @property
    def faults(self) -> int:
        """Answers of 500 and above."""
        return sum(count for status, count in self.statuses.items() if status >= 500)


def fuzz_api(
    database_url: str, *, seed: int, examples: int, without: Collection[str] = (), plainly: Collection[str] = ()
) -> Fuzzed:
    """All phases, signed in as an administrator with a phone, on a fresh store.

    Some collections may be left out, and of some the POST that stands for another method.
    """
    served, fuzzed = Served(database_url), Fuzzed()
    try:
        schema = _schema(served, seed, examples)
        for name in without:
            schema = schema.exclude(path_regex=f"^/v1/{name}(/|$)")
        for name in plainly:
            schema = schema.exclude(method="POST", path=f"/v1/{name}/{{id}}")
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                _collect(fuzzed, event)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                error = event.value if isinstance(event, events.NonFatalError) else event.exception
                fuzzed.failures[f"schemathesis itself: {type(error).__name__}"] = repr(error)
    finally:
        shutdown_lifespans()
    return fuzzed


def _schema(served: Served, seed: int, examples: int) -> Any:
    generation = {"max-examples": examples, "database": "none"}
    config = SchemathesisConfig.from_dict({**CONFIG, "seed": seed, "generation": generation})
    schema = schemathesis.openapi.from_dict(linked(create_app().openapi()), config=config)
    schema.app = served

    class Phone:
        """Another one is registered when a request revoked it."""

        def get(self, case: Any, context: Any) -> str:
            return served.phone_token()

        def set(self, case: Any, token: str, context: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}

    schema.auth()(Phone)

    @schema.hook
    def map_body(context: Any, body: Any) -> Any:
        return led_somewhere(served, body)

    schema.hook(filter_failure)
    return schema


def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    """False for what isn't one here, with its reason."""
    if isinstance(failure, RejectedPositiveData):
        return not _has_a_reason(json.loads(response.content), case)
    if isinstance(failure, UseAfterFree):
        # What became of a record is told also after it was deleted.
        return not case.path.endswith("/history")
    if isinstance(failure, AcceptedNegativeData):
        return case.path not in TOLERANT and not _is_a_delete(case, response)
    return True


def _is_a_delete(case: Any, response: Any) -> bool:
    """A POST that is a DELETE looks at its body as little as a DELETE does, but at everything else."""
    wrong = {place for place, part in case.meta.components.items() if part.mode.is_negative}
    means = (case.headers or {}).get(OVERRIDE)
    return means == "DELETE" and response.status_code == 204 and wrong == {ParameterLocation.BODY}


def _has_a_reason(problem: dict[str, Any], case: Any) -> bool:
    code = problem["code"]
    if OVERRIDE in (case.headers or {}) and code in ("invalid", "wrong_content_type"):
        # Which body a POST takes that stands for another method, and whether any, that method says.
        return True
    if code == "invalid":
        # Which value a resolution may have, its contested field says; which fields must agree, a collection's rule;
        # which days there are, the calendar.
        pointed = {error["pointer"] for error in problem["errors"]}
        of_one = pointed <= OF_ONE_CAMPAIGN or pointed <= OF_ONE_GROUND
        return case.path == "/v1/conflicts/{id}/resolution" or pointed in RULES or of_one
    if code == "bad_request":
        # Which characters can be seen, in a login that others must recognise; how far apart two days may be.
        # And no schema says what JSON a text is, as which a form brings a mapping.
        pointed = {error["pointer"] for error in problem["errors"]}
        reasons = {"/v1/people": {"/login"}, "/v1/imports": {"/mapping"}, "/v1/reports/activity": {"/until"}}
        return pointed == reasons.get(case.path)
    if code in ("unknown_field", "sheet_unreadable", "sheet_not_found", "columns_missing"):
        # Which sheets and headings a file has, and which fields one kind of it.
        return case.path in ("/v1/imports", "/v1/exports")
    if code == "bad_json":
        # Around the mutations no number is taken that no JavaScript could hold, in words we don't know either.
        return case.path in (*TOLERANT, "/v1/sync/pull") and _has_huge_integer(case.body)
    return code in NO_SCHEMA_SAYS


def _has_huge_integer(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_has_huge_integer(item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, int | float) and value == value // 1 and abs(value) > LARGEST_INTEGER


@schemathesis.check
def problems_are_in_the_catalogue(context: Any, response: Any, case: Any) -> None:
    """Whatever is refused is refused with a known code, its status, and both languages."""
    if response.status_code < 400:
        return
    problem = json.loads(response.content)
    entry = CATALOGUE[problem["code"]]
    assert response.headers["content-type"] == ["application/problem+json"]
    assert (response.status_code, problem["titles"]) == (entry.status, {"zh": entry.zh, "en": entry.en})


@schemathesis.check
def every_mutation_has_its_outcome(context: Any, response: Any, case: Any) -> None:
    """What TOLERANT leaves out is held here: as many outcomes as mutations, the refused with a reason."""
    if response.status_code != 200 or case.path not in TOLERANT or not isinstance(case.body, dict):
        return
    answer = json.loads(response.content)
    sent, answer = (case.body, answer) if case.path == "/v1/sync/push" else (case.body.get("push"), answer.get("push"))
    if isinstance(sent, dict):
        assert len(answer["outcomes"]) == len(sent.get("mutations", []))
        refused = [o for o in answer["outcomes"] if o["outcome"] == "refused"]
        assert all(o["problem"]["code"] in CATALOGUE for o in refused)


def _collect(fuzzed: Fuzzed, event: events.ScenarioFinished) -> None:
    recorder = event.recorder
    fuzzed.cases[event.phase.value] += len(recorder.interactions)
    fuzzed.statuses.update(i.response.status_code for i in recorder.interactions.values() if i.response)
    for id, checks in recorder.checks.items():
        for check in checks:
            if (info := check.failure_info) is not None:
                place = f"{recorder.cases[id].value.operation.label}  {check.name}"
                answer = recorder.interactions[id].response
                said = (answer.content or b"")[:400].decode("utf-8", "replace") if answer else "no answer"
                fuzzed.failures.setdefault(place, f"{info.failure.message}\n{info.code_sample}\n{said}")
