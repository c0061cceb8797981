"""The end of a recording: how long it is kept, holds, erasures, and what a person is given of their own."""
