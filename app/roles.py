"""Roles: what a grant makes of a person, over which areas, and what it lets them read.

What may be written under a role stands beside each collection (`writers`).
"""

from dataclasses import dataclass
from enum import StrEnum

STAFF: frozenset[str] = frozenset({"staff", "reference"})
REFERENCE: frozenset[str] = frozenset({"reference"})
MASKED: frozenset[str] = frozenset({"helper", "reference"})
OWN_TEAM: frozenset[str] = frozenset({"team", "reference"})


class Where(StrEnum):
    """An area's place beside the communities of its tree, whose levels are data; or that it is a team."""

    ABOVE = "above"
    COMMUNITY = "community"
    WITHIN = "within"
    TEAM = "team"


@dataclass(frozen=True)
class Role:
    """One role. `reads` are the audiences whose feeds it follows."""

    zh: str
    en: str
    over: frozenset[Where]
    reads: frozenset[str] = STAFF
    ends: bool = False
    """Is it given for a time only?"""


_OFFICE = frozenset({Where.ABOVE, Where.COMMUNITY})
_COMMUNITY = frozenset({Where.COMMUNITY})
_PLACES = frozenset(Where) - {Where.TEAM}
_TEAM = frozenset({Where.TEAM})

ROLES = {
    "reader": Role("只读人员", "Reader: sees all that staff sees, writes nothing", _PLACES),
    "worker": Role("网格员", "Grid worker", frozenset({Where.COMMUNITY, Where.WITHIN})),
    "helper": Role(
        "协助人员", "Helper: building head, volunteer, sunk cadre", frozenset({Where.COMMUNITY, Where.WITHIN}), MASKED
    ),
    "secretary": Role("社区书记", "Community secretary", _COMMUNITY),
    "first_secretary": Role("第一书记", "First secretary", _COMMUNITY, ends=True),
    "admin": Role("街道、区管理员", "Street or district administrator", _OFFICE),
    "officer": Role("职能部门人员", "Department officer: what is dispatched to their team", _TEAM, OWN_TEAM),
    "mediator": Role("调解员", "Mediator: the cases of their team, which nobody else sees", _TEAM, OWN_TEAM),
    "system": Role("系统管理员", "System administrator: accounts, areas, codes", _OFFICE, REFERENCE),
    "security": Role("安全管理员", "Security administrator: grants", _OFFICE, REFERENCE),
    "audit": Role("审计管理员", "Audit administrator: sees grants, gives none", _OFFICE, REFERENCE),
}
APART = frozenset({"system", "security", "audit"})
"""三员: the three administrators of GB/T 22239 level 3. Nobody is two of them at a time."""
WORKERS = frozenset({"worker", "secretary", "first_secretary", "admin"})
HELPERS = WORKERS | {"helper"}
ADMINS = frozenset({"admin", "system"})
OFFICE = ADMINS | {"secretary", "first_secretary"}
MEDIATORS = frozenset({"mediator"})
"""Who writes what: beside each collection stands one of these."""
READ_STAFF, READ_MASKED, READ_TEAM = (
    frozenset(name for name, role in ROLES.items() if audience in role.reads)
    for audience in ("staff", "helper", "team")
)
READ_GRANTS = frozenset({"admin", "secretary", "security", "audit"})
RoleName = StrEnum("RoleName", [(name.upper(), name) for name in ROLES])  # type: ignore[misc]
