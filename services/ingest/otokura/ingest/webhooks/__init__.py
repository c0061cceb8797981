"""Webhooks: telling a vendor's own server what became of its calls."""
