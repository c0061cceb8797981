"""Insight: signals and a summary of a call, from its redacted transcript."""
