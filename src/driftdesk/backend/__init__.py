"""Be a backend: a complete local implementation of the APIs, over a store, a simulated exchange and a clock."""
