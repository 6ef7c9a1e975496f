"""Decisions for one account: pure, exact, no I/O, no clock, no randomness, no pandas."""
