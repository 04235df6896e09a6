"""Nouns that never leave the process: a script as blocks, and their text form."""
