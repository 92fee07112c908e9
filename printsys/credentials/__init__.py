"""The staff password, tokens for scripts, and signed links for students."""
