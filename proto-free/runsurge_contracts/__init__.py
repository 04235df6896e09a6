"""Nouns that leave the process: frozen dataclasses of the standard library, in place of .proto files."""
