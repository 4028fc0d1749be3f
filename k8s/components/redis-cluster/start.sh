#!/bin/sh
# A master that comes back empty within the node timeout would empty its replica, too. So a node that was
# in the cluster before waits until its replica has taken over.
set -eu
if [ -s /data/nodes.conf ]; then sleep 10; fi
exec valkey-server /etc/redis/redis.conf --cluster-announce-hostname "$POD_NAME.redis-nodes.$NAMESPACE.svc"
