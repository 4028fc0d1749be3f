"""The Timeline service: home and user timelines, and the fan-out worker."""
