"""Hands a finished run to the report: the test rows, what the reloaded model answers, and the simple models."""
