#!/bin/sh
# Starts a node as what the Sentinels say that it is; where none says anything, the first is the primary.
set -eu
. /etc/redis/primary.sh
host() { echo "$1.redis-nodes.$NAMESPACE.svc.cluster.local"; }
me=$(host "$POD_NAME")
now=$(primary)
# A primary that comes back empty would empty its replicas, so one of them takes over first.
if [ "$now" = "$me" ]; then
  sleep "${TAKEOVER_SECONDS:-15}"
  now=$(primary)
fi
: "${now:=$(host redis-0)}"
set -- /etc/redis/redis.conf --replica-announce-ip "$me" "$@"
if [ "$now" != "$me" ]; then set -- "$@" --replicaof "$now" 6379; fi
exec valkey-server "$@"
