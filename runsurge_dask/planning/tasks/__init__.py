"""A script as task scripts that plain Python runs one after the other.

`language` says what may be divided at all, `flow` what a statement may change, `units` where a script is divided, `splitting`
which loops are cut into chunks, `texts` and `rendering` write the files, `scripts` puts it together.
"""
