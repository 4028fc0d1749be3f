"""The live home timeline: each replica follows the logs and tells its open streams."""
