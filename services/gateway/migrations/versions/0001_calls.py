"""Calls, what the stages made of them, and their records."""

import sqlalchemy as sa
from alembic import op

from services.gateway.tables import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "calls",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("blob", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("duration", sa.Double(), nullable=False),
        sa.Column("sample_rate", sa.Integer(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("codec", sa.String(64), nullable=False),
        sa.Column("started_at", sa.String(64)),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("problem", sa.JSON(none_as_null=True)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
        sa.UniqueConstraint("tenant", "idempotency_key", name="uq_calls_tenant_idempotency_key"),
    )
    op.create_index("ix_calls_tenant_id", "calls", ["tenant", "id"])
    op.create_index("ix_calls_status_id", "calls", ["status", "id"])
    op.create_table(
        "artifacts",
        sa.Column("call_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("stage", sa.String(32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "stage", name="pk_artifacts"),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name="fk_artifacts_call_id_calls", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "records",
        sa.Column("call_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "version", name="pk_records"),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name="fk_records_call_id_calls", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Remove everything."""
    for table in ("records", "artifacts", "calls"):
        op.drop_table(table)
