"""The Graph service: users, credentials, sessions, application keys and follows."""
