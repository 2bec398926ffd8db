"""Two records turn out to be of one thing: what the one that stays becomes. Pure."""

from pydantic import JsonValue

from sync.decide import Contest, Decision, Held, Rules
from sync.merge import Contested
from sync.wire import Fields

_NOTHING: tuple[JsonValue, ...] = (None, "", [])


def decide_join(rules: Rules, held: Held, other: Fields) -> Decision:
    """What the one lacks it has from the other; what no rule joins, or what makes no valid record, is asked about."""
    values: Fields = {}
    contested: dict[str, Contest] = {}
    for name, theirs in other.items():
        ours = held.fields.get(name)
        if theirs in _NOTHING or theirs == ours:
            continue
        result = theirs if ours in _NOTHING else rules.policies[name].join(ours, theirs)
        if isinstance(result, Contested):
            contested[name] = Contest(None, ours, theirs)
        elif result != ours:
            values[name] = result
    for name in _unfit(rules, held, values):
        contested[name] = Contest(None, held.fields.get(name), other[name])
        del values[name]
    return Decision("conflicted" if contested else "merged", fields=values, contested=contested)


def _unfit(rules: Rules, held: Held, values: Fields) -> set[str]:
    """Of the values to write, those that make no valid record: what the faults name, or all where that isn't enough."""
    faults = rules.faults({**held.fields, **values})
    named = {str(fault["pointer"]).removeprefix("/fields/") for fault in faults} & values.keys()
    rest = {name: value for name, value in values.items() if name not in named}
    return {*values} if faults and rules.faults({**held.fields, **rest}) else named
