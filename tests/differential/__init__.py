"""Planned run against sequential run: the oracle of the whole product."""
