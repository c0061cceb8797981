"""Recordings that come as files: whole (`file`), or by tus 1.0.0 in requests that may break off (`tus`)."""
