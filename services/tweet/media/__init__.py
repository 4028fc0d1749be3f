"""Media of tweets: photos and videos, from upload to the last byte."""
