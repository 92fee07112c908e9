"""Folders → PostgreSQL: the mirror that pages query. It can be deleted at any time and comes back from the folders."""
