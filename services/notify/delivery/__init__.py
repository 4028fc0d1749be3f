"""Deliveries by push and mail: a queue in SQL, the senders, and what may be called."""
