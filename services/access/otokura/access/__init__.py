"""Lets the right person read a recording from the right network for a stated purpose."""
