"""`otokura keys`: replace the keys that wrap the keys of calls, and destroy the old ones."""
