"""The library: recordings as people see them. What is asked for, made, kept, shown, shared, told of and deleted."""
