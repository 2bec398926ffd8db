"""Rosters in and out: Excel and CSV, as offices keep them, matched with what was written at the doors."""
