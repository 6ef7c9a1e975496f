"""The engine's decisions for a whole book: columns instead of objects, numpy instead of Decimal, the same answers."""
