"""Source text to facts: what depends on what, what has effects, and how each block may be split."""
