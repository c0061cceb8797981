"""The text of calls while they last, for those who may read it."""
