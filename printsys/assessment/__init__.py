"""What files tell: to the student at once, to staff before they approve."""
