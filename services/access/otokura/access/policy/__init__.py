"""From where, and whether they may: zones, and Cedar policies."""
