"""The journal's schema, revision by revision (Alembic)."""
