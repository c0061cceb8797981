"""Feeds: what analytics is given, to whom, and the work of giving it."""
