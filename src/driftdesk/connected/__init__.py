"""Accounts at brokerages, reached through SnapTrade, as a world of ours (rules.md 9).

What the brokerages say of cash, holdings, prices and orders is mirrored into a store, so that drift, preview, runs and
orders are those of any other backend; what is sent goes to the brokerage. Nothing is traded by itself here: every run
is a preview that a person confirmed.
"""
