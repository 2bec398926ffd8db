"""Enclaves."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "enclave",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("area_home", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("administrative_home", sa.Uuid(), nullable=False),
        sa.Column("administrative_id", sa.Uuid(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("enclave_key")),
    )
    with op.batch_alter_table("enclave", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("enclave_administrative_id_index"), ["administrative_id"], unique=False)
        batch_op.create_index(batch_op.f("enclave_area_id_index"), ["area_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("enclave", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("enclave_area_id_index"))
        batch_op.drop_index(batch_op.f("enclave_administrative_id_index"))

    op.drop_table("enclave")
