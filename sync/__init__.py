"""The rules of Qiaomen's synchronisation: no server database, no web framework, no clock of their own.

Read in this order: wire (what travels), merge (how two edits of a field become one), decide (what
becomes of a mutation), conflict (what no rule could settle), replica (what a phone does).
"""
