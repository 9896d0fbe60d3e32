"""Lanes and runs of calls; API keys, the audit trail and the gateways' heartbeats."""

import sqlalchemy as sa
from alembic import op

from services.gateway.tables import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Calls taken in before were all live, and have been analyzed once."""
    with op.batch_alter_table("calls") as calls:
        calls.add_column(sa.Column("lane", sa.String(16), nullable=False, server_default="live"))
        calls.add_column(sa.Column("run", sa.Integer(), nullable=False, server_default="1"))
    op.create_index("ix_calls_tenant_status_id", "calls", ["tenant", "status", "id"])
    op.create_index("ix_calls_tenant_sha256", "calls", ["tenant", "sha256"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime()),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("revoked_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_tenant_id", "api_keys", ["tenant", "id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_tenant_id", "audit", ["tenant", "id"])
    op.create_table(
        "gateways",
        sa.Column("executor_id", sa.String(64), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("executor_id", name="pk_gateways"),
    )


def downgrade() -> None:
    """Back to calls alone."""
    for table in ("gateways", "audit", "api_keys"):
        op.drop_table(table)
    op.drop_index("ix_calls_tenant_sha256", "calls")
    op.drop_index("ix_calls_tenant_status_id", "calls")
    with op.batch_alter_table("calls") as calls:
        calls.drop_column("run")
        calls.drop_column("lane")
