"""Exchanges this program for a newer one, and back. Needs nothing but Python: it runs from a copy of itself in
`.upgrade/`, outside of `.venv`, so that it may replace both."""
