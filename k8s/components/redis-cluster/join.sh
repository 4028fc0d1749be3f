#!/bin/sh
# Makes one cluster of the six nodes. Safe to run again: it then mends what lost sight of each other.
set -eu
name() { echo "redis-$1.redis-nodes.$NAMESPACE.svc"; }
ask() { node=$1; shift; valkey-cli -h "$(name "$node")" "$@"; }
address() { getent hosts "$(name "$1")" | cut -d " " -f 1; }
idle() { ask "$1" cluster nodes | grep myself | grep master | awk "NF < 9" | grep -q .; }
id() { ask "$1" cluster myid; }

nodes="a-0 b-0 c-0 a-1 b-1 c-1"
for node in $nodes; do
  until [ "$(ask "$node" ping)" = PONG ]; do sleep 2; done
done
for node in $nodes; do ask a-0 cluster meet "$(address "$node")" 6379; done
sleep 5
if ask a-0 cluster info | grep -q "cluster_slots_assigned:0"; then
  ask a-0 cluster addslotsrange 0 5460
  ask b-0 cluster addslotsrange 5461 10922
  ask c-0 cluster addslotsrange 10923 16383
  sleep 5
fi
# A master and its replica are never of one zone. Which of the two has the slots may have changed since.
for pair in "a-0 b-1" "b-0 c-1" "c-0 a-1"; do
  first=${pair% *} second=${pair#* }
  if idle "$second"; then ask "$second" cluster replicate "$(id "$first")"; fi
  if idle "$first"; then ask "$first" cluster replicate "$(id "$second")"; fi
done
ask a-0 cluster info | grep -E "cluster_(state|slots_ok|known_nodes)"
