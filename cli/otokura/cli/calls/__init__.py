"""Sending calls, as a phone system would; import the submodules."""
