"""How many calls wait, and since when, told by an index alone: it is asked every few seconds."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_BACKLOG = "status IN ('queued', 'failed')"


def upgrade() -> None:
    """Create the index of calls that wait or were given up."""
    op.create_index(
        "ix_calls_backlog",
        "calls",
        ["status", "lane", "updated_at"],
        sqlite_where=sa.text(_BACKLOG),
        postgresql_where=sa.text(_BACKLOG),
    )


def downgrade() -> None:
    """Drop it; nothing depends on it."""
    op.drop_index("ix_calls_backlog", "calls")
