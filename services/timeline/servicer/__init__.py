"""The Timeline service's methods, in parts by what they are about."""
