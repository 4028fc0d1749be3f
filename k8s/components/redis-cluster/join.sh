#!/bin/sh
# Makes one cluster of the six nodes. Safe to run again: it then mends what lost sight of each other.
set -eu
name() { echo "redis-$1.redis-nodes.$NAMESPACE.svc"; }
ask() { node=$1; shift; valkey-cli -h "$(name "$node")" "$@"; }
address() { getent hosts "$(name "$1")" | cut -d " " -f 1; }
idle() { ask "$1" cluster nodes | grep myself | grep master | awk "NF < 9" | grep -q .; }
id() { ask "$1" cluster myid; }
# Until it is done: who has just met does not know of everybody yet, and says so.
must() { until [ "$(ask "$@")" = OK ]; do sleep 1; done; }

nodes="a-0 b-0 c-0 a-1 b-1 c-1"
for node in $nodes; do
  until [ "$(ask "$node" ping)" = PONG ]; do sleep 2; done
done
for node in $nodes; do must a-0 cluster meet "$(address "$node")" 6379; done
for node in $nodes; do
  until ask "$node" cluster info | grep -q "cluster_known_nodes:[6-9]"; do sleep 1; done
done
if ask a-0 cluster info | grep -q "cluster_slots_assigned:0"; then
  must a-0 cluster addslotsrange 0 5460
  must b-0 cluster addslotsrange 5461 10922
  must c-0 cluster addslotsrange 10923 16383
fi
# A master and its replica are never of one zone. Which of the two has the slots may have changed since.
for pair in "a-0 b-1" "b-0 c-1" "c-0 a-1"; do
  first=${pair% *} second=${pair#* }
  if idle "$second"; then must "$second" cluster replicate "$(id "$first")"; fi
  if idle "$first"; then must "$first" cluster replicate "$(id "$second")"; fi
done
until ask a-0 cluster info | grep -q "cluster_state:ok"; do sleep 1; done
ask a-0 cluster info | grep -E "cluster_(state|slots_ok|known_nodes)"
