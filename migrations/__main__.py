"""`python -m migrations "what changed"`: writes the next migration from what the models say.

It compares them with an empty SQLite database in memory that it brings to head first, so that no server
and no data are needed. Read what it wrote: a renamed column looks like one dropped and one added.
"""

import subprocess
import sys

import sqlalchemy as sa
from alembic import command
from alembic.script import Script

from app.schema import alembic_config


def main(words: list[str]) -> int:
    """Exit code 2 without words that say what changed."""
    if not words:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.connect() as connection:
        config = alembic_config(connection)
        command.upgrade(config, "head")
        made = command.revision(config, " ".join(words), autogenerate=True)
    assert isinstance(made, Script)
    for tidy in (["format"], ["check", "--fix"]):
        subprocess.run([sys.executable, "-m", "ruff", *tidy, made.path], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
