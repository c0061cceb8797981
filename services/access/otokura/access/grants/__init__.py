"""Grants: one person may read one call, so often, for so long; passing on without passing anything on."""
