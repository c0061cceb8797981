"""The console: pages for people at a call centre, which ask the API as every other client does."""
