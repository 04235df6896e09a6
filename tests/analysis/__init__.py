"""Tests of what is proved before anything runs."""
