"""Identity and notes of calls; the inbound bucket, webhooks, retention and erasure."""

import sqlalchemy as sa
from alembic import op

from services.gateway.tables import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Calls taken in before keep no identity: some may be the same recording twice."""
    with op.batch_alter_table("calls") as calls:
        calls.add_column(sa.Column("external_id", sa.String(255)))
        calls.add_column(sa.Column("identity", sa.String(300)))
        calls.add_column(sa.Column("notes", sa.JSON(), nullable=False, server_default="[]"))
        calls.alter_column("blob", existing_type=sa.String(255), nullable=True)
        calls.create_unique_constraint("uq_calls_tenant_identity", ["tenant", "identity"])
    _create_arrivals()
    _create_webhooks()
    op.create_table(
        "retention",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("audio_days", sa.Integer()),
        sa.Column("record_days", sa.Integer()),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_retention"),
    )
    op.create_table(
        "erasures",
        sa.Column("blob", sa.String(255), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("call_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("blob", name="pk_erasures"),
    )
    op.create_index("ix_erasures_due_at", "erasures", ["due_at"])


def downgrade() -> None:
    """Back to calls that their bytes and keys alone tell apart; erased audio has no way back."""
    for table in ("erasures", "retention", "deliveries", "webhooks", "arrivals"):
        op.drop_table(table)
    op.execute("UPDATE calls SET blob = '' WHERE blob IS NULL")
    with op.batch_alter_table("calls") as calls:
        calls.drop_constraint("uq_calls_tenant_identity", type_="unique")
        calls.alter_column("blob", existing_type=sa.String(255), nullable=False)
        for column in ("notes", "identity", "external_id"):
            calls.drop_column(column)


def _create_arrivals() -> None:
    op.create_table(
        "arrivals",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("bucket", sa.String(63), nullable=False),
        sa.Column("name", sa.String(1024), nullable=False),
        sa.Column("version", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("call_id", sa.Uuid(as_uuid=False)),
        sa.Column("problem", sa.JSON(none_as_null=True)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_arrivals"),
        sa.UniqueConstraint(
            "tenant", "bucket", "name", "version", name="uq_arrivals_tenant_bucket_name_version"
        ),
    )
    op.create_index("ix_arrivals_state_due_at", "arrivals", ["state", "due_at"])
    op.create_index("ix_arrivals_tenant_state_id", "arrivals", ["tenant", "state", "id"])


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("paused_until", UtcDateTime()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_tenant_id", "webhooks", ["tenant", "id"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("webhook_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("event_type", sa.String(64), nullable=False),
        sa.Column("call_id", sa.Uuid(as_uuid=False)),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.JSON(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name="fk_deliveries_webhook_id_webhooks",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_deliveries_state_due_at", "deliveries", ["state", "due_at"])
    op.create_index("ix_deliveries_webhook_id_id", "deliveries", ["webhook_id", "id"])
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"])
