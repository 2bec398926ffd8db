"""What people look at: derived from what was written at the door, never filled in a second time."""
