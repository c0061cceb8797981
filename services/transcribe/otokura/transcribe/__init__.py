"""The transcribe service: sealed recordings in, encrypted transcripts out."""
