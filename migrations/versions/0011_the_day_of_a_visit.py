"""the day of a visit."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_POSTGRES = """
    UPDATE visits SET day = (
        CASE WHEN visited_at BETWEEN created_at - interval '180 days' AND created_at THEN visited_at ELSE created_at END
        AT TIME ZONE 'UTC' + interval '4 hours')::date
"""
_SQLITE = """
    UPDATE visits SET day = date(
        CASE WHEN visited_at BETWEEN datetime(created_at, '-180 days') AND created_at
        THEN visited_at ELSE created_at END, '+4 hours')
"""


def upgrade() -> None:
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.add_column(sa.Column("day", sa.Date(), nullable=True))
        batch_op.create_index("visits_day_index", ["home", "day"], unique=False)
    # What came before is counted for the day that its phone's clock told, where that can be; a day begins at four in
    # China, which is eight hours ahead.
    op.execute(_POSTGRES if op.get_bind().dialect.name == "postgresql" else _SQLITE)


def downgrade() -> None:
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.drop_index("visits_day_index")
        batch_op.drop_column("day")
