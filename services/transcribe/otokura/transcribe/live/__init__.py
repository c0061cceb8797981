"""Text of calls while they last: revisable, redacted, and replaced by the transcript of the recording."""
