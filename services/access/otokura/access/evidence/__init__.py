"""Evidence: one signed bundle of a call that stands on its own."""
