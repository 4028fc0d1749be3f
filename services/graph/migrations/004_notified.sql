-- Who is to be told of an author's tweets; most follows are not of these.
CREATE INDEX follows_notified ON follows (target_user_id, user_id) WHERE notify;
