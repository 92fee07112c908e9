"""What goes with a job on paper, and as a page that opens without a server."""
