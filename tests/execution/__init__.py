"""Tests of the room that runs plans."""
