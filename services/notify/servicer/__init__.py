"""`aviary.notify.v1.NotifyService`, a module for each part of it."""
