"""Tenants and what their administrators set."""
