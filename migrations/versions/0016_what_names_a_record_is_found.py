"""What names a record is found by an index."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("affiliations", schema=None) as batch_op:
        batch_op.create_index("affiliations_parent_id_index", ["home", "parent_id"], unique=False)

    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.create_index(
            "answers_resident_id_index",
            ["home", "resident_id"],
            unique=False,
            postgresql_where=sa.text("resident_id IS NOT NULL"),
            sqlite_where=sa.text("resident_id IS NOT NULL"),
        )

    with op.batch_alter_table("care_plans", schema=None) as batch_op:
        batch_op.create_index(
            "care_plans_resident_id_index",
            ["home", "resident_id"],
            unique=False,
            postgresql_where=sa.text("resident_id IS NOT NULL"),
            sqlite_where=sa.text("resident_id IS NOT NULL"),
        )

    with op.batch_alter_table("follow_ups", schema=None) as batch_op:
        batch_op.create_index(
            "follow_ups_resident_id_index",
            ["home", "resident_id"],
            unique=False,
            postgresql_where=sa.text("resident_id IS NOT NULL"),
            sqlite_where=sa.text("resident_id IS NOT NULL"),
        )

    with op.batch_alter_table("sponsorships", schema=None) as batch_op:
        batch_op.create_index(
            "sponsorships_household_id_index",
            ["home", "household_id"],
            unique=False,
            postgresql_where=sa.text("household_id IS NOT NULL"),
            sqlite_where=sa.text("household_id IS NOT NULL"),
        )

    with op.batch_alter_table("tag_grounds", schema=None) as batch_op:
        batch_op.create_index(
            "tag_grounds_resident_id_index",
            ["home", "resident_id"],
            unique=False,
            postgresql_where=sa.text("resident_id IS NOT NULL"),
            sqlite_where=sa.text("resident_id IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("tag_grounds", schema=None) as batch_op:
        batch_op.drop_index(
            "tag_grounds_resident_id_index",
            postgresql_where=sa.text("resident_id IS NOT NULL"),
            sqlite_where=sa.text("resident_id IS NOT NULL"),
        )

    with op.batch_alter_table("sponsorships", schema=None) as batch_op:
        batch_op.drop_index(
            "sponsorships_household_id_index",
            postgresql_where=sa.text("household_id IS NOT NULL"),
            sqlite_where=sa.text("household_id IS NOT NULL"),
        )

    with op.batch_alter_table("follow_ups", schema=None) as batch_op:
        batch_op.drop_index(
            "follow_ups_resident_id_index",
            postgresql_where=sa.text("resident_id IS NOT NULL"),
            sqlite_where=sa.text("resident_id IS NOT NULL"),
        )

    with op.batch_alter_table("care_plans", schema=None) as batch_op:
        batch_op.drop_index(
            "care_plans_resident_id_index",
            postgresql_where=sa.text("resident_id IS NOT NULL"),
            sqlite_where=sa.text("resident_id IS NOT NULL"),
        )

    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.drop_index(
            "answers_resident_id_index",
            postgresql_where=sa.text("resident_id IS NOT NULL"),
            sqlite_where=sa.text("resident_id IS NOT NULL"),
        )

    with op.batch_alter_table("affiliations", schema=None) as batch_op:
        batch_op.drop_index("affiliations_parent_id_index")
