"""The processes of one machine: supervision, logs, PostgreSQL, disk space."""
