"""The REST face: routes, their models, and the table from error to status."""
