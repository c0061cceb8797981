"""Keeps the append-only, verifiable log of every read."""
