"""The records as rows (`export`), and what they add up to (`periods`, `figures`)."""
