"""Transcribing again: requests become jobs of the lane `again`, and their progress is told."""
