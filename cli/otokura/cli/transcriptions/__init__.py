"""`otokura transcribe`: recordings that are to be transcribed again."""
