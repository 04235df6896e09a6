"""Bytes and seconds of each block of a script, before it runs: from rules, from samples, from earlier runs."""
