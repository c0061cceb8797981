"""Identity providers of tenants: their tokens, the keys that sign them, and whom they stand for."""
