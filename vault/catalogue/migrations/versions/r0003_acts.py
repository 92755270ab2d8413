"""What was destroyed and held, numbered in the order in which it was committed.

Frozen: it says what the schema was, whatever the tables become later.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _text(name: str) -> sa.Column[str]:
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "acts",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        _text("kind"),
        _text("of"),
        sa.PrimaryKeyConstraint("number", name="acts_pk"),
    )
