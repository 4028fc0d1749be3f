"""The Notify service: inboxes, deliveries by push and mail, and direct messages."""
