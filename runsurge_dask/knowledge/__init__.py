"""Tables of what builtins and libraries do; one row a call."""
