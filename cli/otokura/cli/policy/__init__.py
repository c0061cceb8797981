"""`otokura policy`: what policies would say, without the service."""
