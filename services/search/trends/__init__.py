"""Trends: terms of tweets and searches by different users, ranked against what is usual."""
