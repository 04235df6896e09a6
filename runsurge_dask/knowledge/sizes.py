"""What calls cost in bytes: the rules for a script that is not run, and for blocks that no sample reached."""

from __future__ import annotations

INTERPRETER_BYTES = 10 << 20
"""Python 3.11 with nothing imported."""
IMPORT_BYTES = {"numpy": 20 << 20, "pandas": 80 << 20, "pyarrow": 30 << 20, "scipy": 20 << 20, "matplotlib": 40 << 20, "PIL": 8 << 20}
"""What large libraries add to an interpreter."""
TOUCHED_BYTES = {"numpy": 1 << 20, "pandas": 8 << 20, "pyarrow": 8 << 20}
"""Code of them that is read from disk when it is first used, after the import: measured as `RssFile` of scripts that use them."""
