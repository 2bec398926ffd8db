"""The schema's history, for both stores. `app.schema` runs it."""
