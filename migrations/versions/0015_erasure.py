"""Erasure: when it was, and where what was sent is kept."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_LOOSE = "payload IS NOT NULL AND (outcome = 'refused' OR collection = 'conflicts')"


def upgrade() -> None:
    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("erased_at", UTCDateTime(), nullable=True))

    with op.batch_alter_table("conflicts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("erased_at", UTCDateTime(), nullable=True))

    with op.batch_alter_table("duplicates", schema=None) as batch_op:
        batch_op.add_column(sa.Column("erased_at", UTCDateTime(), nullable=True))

    with op.batch_alter_table("follow_ups", schema=None) as batch_op:
        batch_op.add_column(sa.Column("erased_at", UTCDateTime(), nullable=True))

    with op.batch_alter_table("received_mutation", schema=None) as batch_op:
        batch_op.create_index(
            "received_mutation_kept_index",
            ["home", "collection", "record_id"],
            unique=False,
            postgresql_where=sa.text("payload IS NOT NULL"),
            sqlite_where=sa.text("payload IS NOT NULL"),
        )
        batch_op.create_index(
            "received_mutation_loose_index",
            ["home", "id"],
            unique=False,
            postgresql_where=sa.text(_LOOSE),
            sqlite_where=sa.text(_LOOSE),
        )


def downgrade() -> None:
    with op.batch_alter_table("received_mutation", schema=None) as batch_op:
        batch_op.drop_index(
            "received_mutation_loose_index", postgresql_where=sa.text(_LOOSE), sqlite_where=sa.text(_LOOSE)
        )
        batch_op.drop_index(
            "received_mutation_kept_index",
            postgresql_where=sa.text("payload IS NOT NULL"),
            sqlite_where=sa.text("payload IS NOT NULL"),
        )

    with op.batch_alter_table("follow_ups", schema=None) as batch_op:
        batch_op.drop_column("erased_at")

    with op.batch_alter_table("duplicates", schema=None) as batch_op:
        batch_op.drop_column("erased_at")

    with op.batch_alter_table("conflicts", schema=None) as batch_op:
        batch_op.drop_column("erased_at")

    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.drop_column("erased_at")
