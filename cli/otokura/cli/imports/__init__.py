"""`otokura call import`: many recordings at once, with what is known of their calls in a sidecar file."""
