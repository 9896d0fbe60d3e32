"""Calls that are to be judged again."""

import sqlalchemy as sa
from alembic import op

from services.gateway.tables import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables of orders and their calls."""
    op.create_table(
        "rescorings",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rescorings"),
    )
    op.create_index("ix_rescorings_tenant_id", "rescorings", ["tenant", "id"])
    op.create_table(
        "rescoring_calls",
        sa.Column("rescoring_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("call_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("bulk", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("problem", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("rescoring_id", "call_id", name="pk_rescoring_calls"),
        sa.ForeignKeyConstraint(
            ["rescoring_id"],
            ["rescorings.id"],
            name="fk_rescoring_calls_rescoring_id_rescorings",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name="fk_rescoring_calls_call_id_calls", ondelete="CASCADE"
        ),
    )
    for columns in (
        ["state", "bulk", "rescoring_id", "call_id", "due_at"],
        ["rescoring_id", "state"],
        ["call_id"],
    ):
        name = f"ix_rescoring_calls_{'_'.join(columns)}"
        op.create_index(name, "rescoring_calls", columns)


def downgrade() -> None:
    """Forget the orders; the records they made stay."""
    for table in ("rescoring_calls", "rescorings"):
        op.drop_table(table)
