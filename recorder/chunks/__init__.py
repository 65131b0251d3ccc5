"""People whose media comes over plain HTTP: the very chunks that others in the room get (PROTOCOL.md)."""
