"""What fitting requests into a window keeps, and what it costs."""
