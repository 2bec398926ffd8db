"""the day of a visit."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# What came before gets its day as what comes from now on does: by how long ago the phone said that it was. A day begins
# at four in China, which is eight hours ahead. What only a restore made is of the day on which that was.
_WHERE = """
    FROM received_mutation AS m
    WHERE m.home = v.home AND m.collection = 'visits' AND m.record_id = v.id
        AND m.op = 'create' AND m.outcome <> 'refused'
"""
_POSTGRES = (
    "UPDATE visits SET day = (created_at AT TIME ZONE 'UTC' + interval '4 hours')::date",
    "UPDATE visits AS v SET day = ((m.received_at - "
    "LEAST(GREATEST(m.sent_at - coalesce(v.visited_at, m.made_at), '0'), '180 days')) "
    f"AT TIME ZONE 'UTC' + interval '4 hours')::date {_WHERE} AND m.sent_at IS NOT NULL",
    "UPDATE visits AS v SET day = (LEAST(v.visited_at, m.received_at) AT TIME ZONE 'UTC' + interval '4 hours')::date "
    f"{_WHERE} AND m.replica_id IS NULL",
)
_SQLITE = (
    "UPDATE visits SET day = date(created_at, '+4 hours')",
    "UPDATE visits AS v SET day = date(julianday(m.received_at) - min(max(julianday(m.sent_at) - "
    f"julianday(coalesce(v.visited_at, m.made_at)), 0), 180), '+4 hours') {_WHERE} AND m.sent_at IS NOT NULL",
    "UPDATE visits AS v SET day = date(min(coalesce(v.visited_at, m.received_at), m.received_at), '+4 hours') "
    f"{_WHERE} AND m.replica_id IS NULL",
)


def upgrade() -> None:
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.add_column(sa.Column("day", sa.Date(), nullable=True))
        batch_op.create_index("visits_day_index", ["home", "day"], unique=False)
    for statement in _POSTGRES if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.drop_index("visits_day_index")
        batch_op.drop_column("day")
