"""The two hosts that serve one handler table."""
