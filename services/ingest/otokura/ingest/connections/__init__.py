"""What a vendor registers about its phone system, so that a dialect can start calls by itself."""
