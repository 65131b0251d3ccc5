"""The mailbox against socket.io: `python -m bench.signaling`."""
