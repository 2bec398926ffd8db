"""`qiaomen phone`: the replica in a terminal, one SQLite file a phone. It works with the server switched off."""
