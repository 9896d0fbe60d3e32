"""The history of the gateway's tables, in Alembic's terms."""
