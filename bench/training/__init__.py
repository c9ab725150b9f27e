"""Training of the meaning matcher, with its written criteria."""
