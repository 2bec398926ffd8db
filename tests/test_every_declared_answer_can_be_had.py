"""No operation declares a problem that it can't answer: each is provoked.

On both stores; but the problems of the operations that every collection has, which all go one way, take turns on them
(tests/in_turn.py).
"""

import re
from pathlib import Path

import pytest

from app.collections import COLLECTIONS
from app.context import Context
from app.document import operations
from app.problems import CATALOGUE
from tests.contract import document, path_of, responses_of
from tests.in_turn import is_turn_of
from tests.provocations import PROVOCATIONS
from tests.stage import stage_of
from tests.world import new_world

NOT_PROVOKED = {
    ("get_livez", "internal"): "it does nothing that could break",
    ("get_readyz", "internal"): "what breaks there is `not_ready`",
    **{
        (f"{name}_{route}", "id_taken"): "of another community's, or in a race: test_nothing_is_learnt_sideways.py"
        for name, collection in COLLECTIONS.items()
        if collection.audience == "reference"
        for route in ("put", "override")
    },
}
OF_EVERY_COLLECTION = {"create", "read", "history", "put", "patch", "delete", "override"}
DECLARED = {
    operation["operationId"]: [code for said in responses_of(operation).values() for code in said.get("x-codes", ())]
    for operation in operations(document())
}


def codes_of(name: str, store: str) -> list[str]:
    """Which are provoked on this store."""
    collection, _, verb = name.rpartition("_")
    codes = [code for code in DECLARED[name] if (name, code) not in NOT_PROVOKED]
    if collection not in COLLECTIONS or verb not in OF_EVERY_COLLECTION:
        return codes
    return [code for nth, code in enumerate(sorted(codes)) if is_turn_of(store, collection, nth)]


def test_whatever_a_rule_finds_wrong_has_a_name_in_both_languages() -> None:
    sources = [path.read_text() for path in (Path(__file__).parent.parent / "app").rglob("*.py")]
    named = {code for text in sources for code in re.findall(r'fault\([^()"]*"\w+", "([a-z]\w+)"\)', text)}
    assert {"no_approval", "no_legal_basis", "nobody_responsible", "questions_invalid"} <= named <= CATALOGUE.keys()


@pytest.mark.parametrize("name", DECLARED)
async def test_every_code_of(name: str, context: Context, store: str) -> None:
    world = await new_world(context)
    missing, doors = {}, dict[str, str]()
    for code in codes_of(name, store):
        with pytest.MonkeyPatch.context() as patch:
            stage = await stage_of(world, patch, name, *path_of(name), doors)
            answer = await PROVOCATIONS[code](stage)
        told = answer.json()["code"] if answer.status_code >= 400 else answer.status_code
        if told != code:
            missing[code] = (told, answer.text[:200])
    await world.http.aclose()
    assert not missing
