"""`aviary.search.v1.SearchService`, a module for each part of it."""
