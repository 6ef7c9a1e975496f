"""A typed method per endpoint, grouped as `client.portfolios`, `client.runs` and so on."""
