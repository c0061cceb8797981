"""The otokura command and the local stack."""
