"""What the networks are compared with."""
