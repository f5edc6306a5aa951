"""The simulator of a day against the real engine."""
