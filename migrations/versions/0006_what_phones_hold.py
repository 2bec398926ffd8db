"""what phones hold."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "holding",
        sa.Column("replica_id", sa.Uuid(), nullable=False),
        sa.Column("feed_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dropped_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("replica_id", "feed_id", name=op.f("holding_key")),
    )
    with op.batch_alter_table("holding", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("holding_feed_id_index"), ["feed_id"], unique=False)

    with op.batch_alter_table("replica", schema=None) as batch_op:
        batch_op.add_column(sa.Column("holdings_sum", sa.BigInteger(), nullable=True))
        batch_op.drop_column("cursor")


def downgrade() -> None:
    with op.batch_alter_table("replica", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cursor", sa.TEXT(), nullable=True))
        batch_op.drop_column("holdings_sum")

    with op.batch_alter_table("holding", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("holding_feed_id_index"))

    op.drop_table("holding")
