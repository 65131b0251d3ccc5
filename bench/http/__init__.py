"""Media over plain HTTP, measured."""
