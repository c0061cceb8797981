"""Access's database, version by version."""
