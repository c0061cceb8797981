"""Leak signals: rules over how people read, what they raise, and the pause that follows."""
