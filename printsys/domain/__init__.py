"""What a print job is and may do: pure functions and values. No I/O, no clock, no randomness."""
