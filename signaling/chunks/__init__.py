"""Media over plain HTTP: sealed chunks, kept in memory for a moment (PROTOCOL.md)."""
