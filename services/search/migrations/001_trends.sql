-- What trends, as far as it must outlive Redis. Hours are whole hours since 1970.

-- How many different users a term had in an hour; only what had a few.
CREATE TABLE trend_hours (
  hour   integer NOT NULL,
  kind   smallint NOT NULL,
  name   text NOT NULL,
  volume integer NOT NULL,
  PRIMARY KEY (kind, name, hour)
);
CREATE INDEX trend_hours_by_hour ON trend_hours (hour);

-- The hours that were counted: a term that has no row for one of these was not said in it.
CREATE TABLE recorded_hours (
  hour integer PRIMARY KEY
);

-- What operators took out.
CREATE TABLE hidden_trends (
  kind        smallint NOT NULL,
  name        text NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (kind, name)
);
