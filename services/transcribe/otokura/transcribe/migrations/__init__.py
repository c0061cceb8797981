"""Alembic migrations of transcribe's database."""
