"""Asking for transcripts to be made again, and how far that has come."""
