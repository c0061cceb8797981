"""How each phone system speaks: one adapter a dialect, all over `otokura.ingest.live`."""
