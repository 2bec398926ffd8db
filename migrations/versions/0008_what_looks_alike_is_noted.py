"""what looks alike is noted."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import UTCDateTime

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "duplicates",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("of_collection", sa.Text(), nullable=False),
        sa.Column("record", sa.Uuid(), nullable=False),
        sa.Column("other", sa.Uuid(), nullable=False),
        sa.Column("alike", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("field_revs", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("home", "id", name=op.f("duplicates_key")),
    )
    with op.batch_alter_table("duplicates", schema=None) as batch_op:
        batch_op.create_index("duplicates_area_id_index", ["home", "area_id"], unique=False)
        batch_op.create_index("duplicates_other_index", ["home", "other"], unique=False)
        batch_op.create_index("duplicates_record_index", ["home", "record"], unique=False)

    with op.batch_alter_table("households", schema=None) as batch_op:
        batch_op.create_index("households_area_id_door_index", ["home", "area_id", "door"], unique=False)

    with op.batch_alter_table("residents", schema=None) as batch_op:
        batch_op.create_index("residents_id_number_index", ["home", "id_number"], unique=False)
        batch_op.create_index("residents_name_birth_date_index", ["home", "name", "birth_date"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("residents", schema=None) as batch_op:
        batch_op.drop_index("residents_name_birth_date_index")
        batch_op.drop_index("residents_id_number_index")

    with op.batch_alter_table("households", schema=None) as batch_op:
        batch_op.drop_index("households_area_id_door_index")

    with op.batch_alter_table("duplicates", schema=None) as batch_op:
        batch_op.drop_index("duplicates_record_index")
        batch_op.drop_index("duplicates_other_index")
        batch_op.drop_index("duplicates_area_id_index")

    op.drop_table("duplicates")
