"""Turns sealed recordings into transcripts."""
