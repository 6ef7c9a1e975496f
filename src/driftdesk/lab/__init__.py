"""The decisions of the engine through time: what a rebalancing policy would have done, and what it would have cost."""
