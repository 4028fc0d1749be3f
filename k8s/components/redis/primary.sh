# Sourced by the others: who the primary is, as the first Sentinel says that answers.
primary() {
  for number in 0 1 2; do
    said=$(timeout 2 valkey-cli -h "redis-sentinel-$number.redis-sentinels" -p 26379 --raw \
      sentinel get-master-addr-by-name aviary 2> /dev/null | head -n 1) || said=
    case $said in redis-*) echo "$said"; return ;; esac
  done
}
