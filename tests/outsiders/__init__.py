"""The contract as outsiders meet it: their linters read it, their generators make clients of it. So are pages read."""
