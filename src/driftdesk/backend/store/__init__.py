"""Tables, migrations and transactions. SQLite file in WAL mode by default (durability.md, Store)."""
