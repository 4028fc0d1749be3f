"""What every service shares, and nothing that knows one of them."""
