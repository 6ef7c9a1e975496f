"""A portfolio before it is saved: what a person typed as a draft, and what saving it would do to the accounts."""
