"""A small witness (C2SP tlog-witness) that another party runs: it cosigns logs that only grow.

Like the verifier, whose arithmetic it uses, it shares no code with the services that write the log.
"""
