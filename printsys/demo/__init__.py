"""A lab in the middle of its term, made by the real actions: to look at, and to measure pages with."""

from printsys.demo.filling import fill, is_empty

__all__ = ["fill", "is_empty"]
