"""Takes call audio from phone systems and seals it into recordings."""
