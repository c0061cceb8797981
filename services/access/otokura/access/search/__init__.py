"""Search in what was said: a blind index of keyed hashes, and candidates checked against their true text."""
