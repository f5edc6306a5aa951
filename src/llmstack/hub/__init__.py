"""Getting models and engines onto this machine, and finding what is already there."""
