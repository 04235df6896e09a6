"""Tests of the program that runs user code."""
