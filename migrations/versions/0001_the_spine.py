"""the spine."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import UTCDateTime

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "areas",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("administrative_code", sa.Text(), nullable=True),
        sa.Column("sort", sa.BigInteger(), nullable=True),
        sa.Column("feed_level", sa.Text(), nullable=True),
        sa.Column("home_level", sa.Text(), nullable=True),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("feed_area_id", sa.Uuid(), nullable=True),
        sa.Column("reference_area_id", sa.Uuid(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("field_revs", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("home", "id", name=op.f("areas_key")),
    )
    with op.batch_alter_table("areas", schema=None) as batch_op:
        batch_op.create_index("areas_parent_id_index", ["home", "parent_id"], unique=False)
        batch_op.create_index(batch_op.f("areas_path_index"), ["path"], unique=False)

    op.create_table(
        "codes",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("sort", sa.BigInteger(), nullable=True),
        sa.Column("retired", sa.Boolean(), nullable=True),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("field_revs", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("home", "id", name=op.f("codes_key")),
    )
    with op.batch_alter_table("codes", schema=None) as batch_op:
        batch_op.create_index("codes_area_id_index", ["home", "area_id"], unique=False)

    op.create_table(
        "conflicts",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("of_collection", sa.Text(), nullable=False),
        sa.Column("of_record", sa.Uuid(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("base", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("held", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("candidates", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("resolution", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("field_revs", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("home", "id", name=op.f("conflicts_key")),
    )
    with op.batch_alter_table("conflicts", schema=None) as batch_op:
        batch_op.create_index("conflicts_of_record_index", ["home", "of_record"], unique=False)

    op.create_table(
        "feed",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("home", "id", name=op.f("feed_key")),
    )
    with op.batch_alter_table("feed", schema=None) as batch_op:
        batch_op.create_index("feed_owner_index", ["home", "owner_id", "audience"], unique=True)

    op.create_table(
        "feed_entry",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("feed_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("hash", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("home", "collection", "record_id", "feed_id", name=op.f("feed_entry_key")),
    )
    with op.batch_alter_table("feed_entry", schema=None) as batch_op:
        batch_op.create_index("feed_entry_seq_index", ["home", "feed_id", "seq"], unique=True)

    op.create_table(
        "feed_mark",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("feed_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.BigInteger(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("home", "feed_id", "seq", name=op.f("feed_mark_key")),
    )
    op.create_table(
        "follow",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("feed_id", sa.BigInteger(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("person_id", "home", "feed_id", "grant_id", name=op.f("follow_key")),
    )
    with op.batch_alter_table("follow", schema=None) as batch_op:
        batch_op.create_index("follow_feed_index", ["home", "feed_id"], unique=False)

    op.create_table(
        "grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("area_home", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("grant_key")),
    )
    with op.batch_alter_table("grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("grant_person_id_index"), ["person_id"], unique=False)

    op.create_table(
        "history",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("rev", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mutation_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("op", sa.String(), nullable=False),
        sa.Column("fields", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("was", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("home", "collection", "record_id", "rev", name=op.f("history_key")),
    )
    op.create_table(
        "households",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=True),
        sa.Column("use", sa.Text(), nullable=True),
        sa.Column("tags", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("best_time", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("field_revs", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("home", "id", name=op.f("households_key")),
    )
    with op.batch_alter_table("households", schema=None) as batch_op:
        batch_op.create_index("households_area_id_index", ["home", "area_id"], unique=False)

    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("disabled_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("person_key")),
        sa.UniqueConstraint("login", name=op.f("person_login_unique")),
    )
    op.create_table(
        "received_mutation",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("replica_id", sa.Uuid(), nullable=True),
        sa.Column("collection", sa.String(), nullable=True),
        sa.Column("record_id", sa.Uuid(), nullable=True),
        sa.Column("op", sa.String(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=True),
        sa.Column("after", sa.Uuid(), nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=True),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("answer", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("home", "id", name=op.f("received_mutation_key")),
    )
    with op.batch_alter_table("received_mutation", schema=None) as batch_op:
        batch_op.create_index("received_mutation_record_index", ["home", "collection", "record_id"], unique=False)
        batch_op.create_index("received_mutation_refused_index", ["person_id", "outcome", "received_at"], unique=False)

    op.create_table(
        "replica",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("app_version", sa.String(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("unsent", sa.Integer(), nullable=False),
        sa.Column("unsent_since", UTCDateTime(), nullable=True),
        sa.Column("seen_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("replica_key")),
    )
    with op.batch_alter_table("replica", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("replica_person_id_index"), ["person_id"], unique=False)

    op.create_table(
        "residents",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sex", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("id_number", sa.Text(), nullable=True),
        sa.Column("relation", sa.Text(), nullable=True),
        sa.Column("registered_here", sa.Boolean(), nullable=True),
        sa.Column("emergency_contact", sa.Text(), nullable=True),
        sa.Column("tags", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("field_revs", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("home", "id", name=op.f("residents_key")),
    )
    with op.batch_alter_table("residents", schema=None) as batch_op:
        batch_op.create_index("residents_household_id_index", ["home", "household_id"], unique=False)

    op.create_table(
        "server",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("feeds", sa.BigInteger(), nullable=False),
        sa.Column("system", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("server_key")),
    )
    op.create_table(
        "sign_in",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("replica_id", sa.Uuid(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("sign_in_key")),
    )
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("sign_in_person_id_index"), ["person_id"], unique=False)

    op.create_table(
        "visits",
        sa.Column("home", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("visited_at", UTCDateTime(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("persons_met", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("needs", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("field_revs", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("home", "id", name=op.f("visits_key")),
    )
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.create_index("visits_household_id_index", ["home", "household_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.drop_index("visits_household_id_index")

    op.drop_table("visits")
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("sign_in_person_id_index"))

    op.drop_table("sign_in")
    op.drop_table("server")
    with op.batch_alter_table("residents", schema=None) as batch_op:
        batch_op.drop_index("residents_household_id_index")

    op.drop_table("residents")
    with op.batch_alter_table("replica", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("replica_person_id_index"))

    op.drop_table("replica")
    with op.batch_alter_table("received_mutation", schema=None) as batch_op:
        batch_op.drop_index("received_mutation_refused_index")
        batch_op.drop_index("received_mutation_record_index")

    op.drop_table("received_mutation")
    op.drop_table("person")
    with op.batch_alter_table("households", schema=None) as batch_op:
        batch_op.drop_index("households_area_id_index")

    op.drop_table("households")
    op.drop_table("history")
    with op.batch_alter_table("grant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("grant_person_id_index"))

    op.drop_table("grant")
    with op.batch_alter_table("follow", schema=None) as batch_op:
        batch_op.drop_index("follow_feed_index")

    op.drop_table("follow")
    op.drop_table("feed_mark")
    with op.batch_alter_table("feed_entry", schema=None) as batch_op:
        batch_op.drop_index("feed_entry_seq_index")

    op.drop_table("feed_entry")
    with op.batch_alter_table("feed", schema=None) as batch_op:
        batch_op.drop_index("feed_owner_index")

    op.drop_table("feed")
    with op.batch_alter_table("conflicts", schema=None) as batch_op:
        batch_op.drop_index("conflicts_of_record_index")

    op.drop_table("conflicts")
    with op.batch_alter_table("codes", schema=None) as batch_op:
        batch_op.drop_index("codes_area_id_index")

    op.drop_table("codes")
    with op.batch_alter_table("areas", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("areas_path_index"))
        batch_op.drop_index("areas_parent_id_index")

    op.drop_table("areas")
