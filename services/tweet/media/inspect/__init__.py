"""What runs in a process of its own: everything that reads bytes which strangers sent.

It knows the formats, Pillow, and nothing else of the service.
"""
