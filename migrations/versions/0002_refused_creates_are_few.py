"""refused creates are few."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("received_mutation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("received_mutation_record_index"))
        batch_op.create_index(
            "received_mutation_refused_create_index",
            ["home", "collection", "record_id"],
            unique=False,
            postgresql_where=sa.text("op = 'create' AND outcome = 'refused'"),
            sqlite_where=sa.text("op = 'create' AND outcome = 'refused'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("received_mutation", schema=None) as batch_op:
        batch_op.drop_index(
            "received_mutation_refused_create_index",
            postgresql_where=sa.text("op = 'create' AND outcome = 'refused'"),
            sqlite_where=sa.text("op = 'create' AND outcome = 'refused'"),
        )
        batch_op.create_index(
            batch_op.f("received_mutation_record_index"), ["home", "collection", "record_id"], unique=False
        )
