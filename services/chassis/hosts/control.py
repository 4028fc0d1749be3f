"""The words between a replica's parent process and the Python inside its Envoy.

They share a socket pair, its number in the environment; the parent's end closing means that the
parent is gone.
"""

CONTROL_FD = "_AVIARY_CONTROL_FD"
DRAIN = b"d"
"""Turn NOT_SERVING and end long streams."""
COUNT = b"c"
"""Answer one byte: the number of calls in flight, at most 255."""
END = b"e"
"""Cancel the calls that are still in flight."""
