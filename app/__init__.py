"""The server: HTTP, people, permissions and SQL around the rules in `sync/`."""
