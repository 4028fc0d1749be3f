#!/bin/sh
# Starts a Sentinel, which keeps what it learns in its own copy of the configuration.
set -eu
. /etc/redis/primary.sh
if [ ! -s /data/sentinel.conf ]; then
  # On a new node the others know better than we do who the primary is.
  known=$(primary)
  : "${known:=redis-0.redis-nodes.$NAMESPACE.svc.cluster.local}"
  # A name that does not resolve yet ends a Sentinel at once.
  until getent hosts "$known" > /dev/null; do sleep 1; done
  cp /etc/redis/sentinel.conf /data/sentinel.conf
  {
    echo "sentinel announce-ip $POD_NAME.redis-sentinels.$NAMESPACE.svc.cluster.local"
    echo "sentinel monitor aviary $known 6379 2"
    echo "sentinel down-after-milliseconds aviary 3000"
    echo "sentinel failover-timeout aviary 10000"
    echo "sentinel parallel-syncs aviary 2"
  } >> /data/sentinel.conf
fi
exec valkey-sentinel /data/sentinel.conf "$@"
