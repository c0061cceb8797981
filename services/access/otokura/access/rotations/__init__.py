"""Rotations of key-encryption keys: what was rotated, how far every service is, and what was destroyed."""
