"""Copies storage/ while the system runs, and restores it."""
