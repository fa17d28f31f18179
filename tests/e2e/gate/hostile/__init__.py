"""What hostile clients send, and that the gate stays calm, bounded and available."""
