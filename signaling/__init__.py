"""The server: rooms, mailboxes, recordings. The only code that knows the database."""
