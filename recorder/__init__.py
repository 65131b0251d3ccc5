"""A participant without a face: joins a room, writes what it is sent, composes it. Knows the server only by its HTTP API."""
