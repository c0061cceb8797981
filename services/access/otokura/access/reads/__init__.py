"""The reading of calls: a model of what there is to read, and the one way to it."""
