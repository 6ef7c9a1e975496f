"""Events of the rebalancer: written in the transaction of what they tell of, read by watermark."""
