"""Runs: the transition table, one step, one tick, and the worker that calls it (rules.md 7, durability.md)."""
