#!/bin/sh
# Two network namespaces with names and addresses of their own stand for two hosts: a run of a rank
# on each computes what one device computes, and a stopped rank is named with its host.
# usage: two_hosts.sh GRADFLOW. Exits with 77 where the machine does not allow it.
set -eu

program=$1
skip() {
  echo "two_hosts.sh: skipped: $*"
  exit 77
}
[ "$(id -u)" = 0 ] || skip 'namespaces need root'
for tool in ip unshare mpiexec; do command -v $tool >/dev/null || skip "there is no $tool"; done

work=$(mktemp -d /tmp/gradflow-hosts-XXXXXX)
a=gfa$$ b=gfb$$
clean() {
  for n in $a $b; do
    ip netns pids "$n" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
    ip netns del "$n" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM
ip netns add $a 2>/dev/null || skip 'no namespace can be added'
ip netns add $b
ip link add va$$ netns $a type veth peer name vb$$ netns $b 2>/dev/null ||
  skip 'no pair of interfaces can be added'
ip -n $a addr add 10.77.77.1/24 dev va$$
ip -n $b addr add 10.77.77.2/24 dev vb$$
for n in $a $b; do ip -n "$n" link set lo up; done
ip -n $a link set va$$ up
ip -n $b link set vb$$ up

# Instead of ssh: HOST COMMAND...
cat >"$work/agent" <<END
#!/bin/sh
shift
exec ip netns exec $b unshare --uts sh -c "hostname second; \$*"
END
chmod +x "$work/agent"

# 60 images, a batch an epoch.
python3 - "$work" 2>/dev/null <<'END' || skip 'there is no python3'
import os, sys
for name, count in (("train.bin", 64), ("test.bin", 8)):
    with open(os.path.join(sys.argv[1], name), "wb") as file:
        for i in range(count):
            file.write(bytes([i % 20, i % 100]) + bytes((i * 37 + k * k) % 251 for k in range(3072)))
END
cat >"$work/net.yaml" <<END
data: {name: cifar100, path: $work, validation: 4}
model:
  batch_norm: sync
  graph:
    - {type: conv2d, filters: 6, kernel: 3, padding: 1, stride: 2, bias: false}
    - {type: batch_norm}
    - {type: relu}
    - {type: global_avg_pool}
    - {type: linear, outputs: 100}
train: {epochs: 20, batch_size: 60, seed: 7}
END

mpi() {
  ip netns exec $a unshare --uts sh -c 'hostname first; exec "$@"' - \
    mpiexec --allow-run-as-root --host 10.77.77.1:1,10.77.77.2:1 -n 2 \
    --mca plm_rsh_agent "$work/agent" --mca btl tcp,self \
    --mca btl_tcp_if_include 10.77.77.0/24 --mca oob_tcp_if_include 10.77.77.0/24 "$@"
}
fail() {
  echo "two_hosts.sh: $*" >&2
  exit 1
}

"$program" train "$work/net.yaml" --out "$work/one" -t off -q >/dev/null
mpi timeout 100 "$program" train "$work/net.yaml" --out "$work/two" -t off -q >"$work/said" 2>&1 ||
  fail "$(cat "$work/said")"
grep -q '"host": "first"' "$work/two/ranks.json" || fail "$(cat "$work/two/ranks.json")"
grep -q '"host": "second"' "$work/two/ranks.json" || fail "$(cat "$work/two/ranks.json")"
paste -d, "$work/one/metrics.csv" "$work/two/metrics.csv" | awk -F, 'NR > 1 {
  rows++
  for (i = 3; i <= 6; i++) {
    d = $i - $(i + NF / 2)
    if (!(d <= 1e-5 * $i && -d <= 1e-5 * $i)) { print; bad = 1 }
  }
} END { exit bad || rows != 20 }' || fail 'the losses differ from those of one device'

# The network goes down: the first rank hears no more of the second one.
mpi timeout 100 "$program" train "$work/net.yaml" --out "$work/cut" -t off -q --rank-timeout 3 \
  --set train.epochs=100000 >"$work/said" 2>&1 &
for i in $(seq 300); do
  [ -s "$work/cut/metrics.csv" ] && break
  sleep 0.1
done
ip -n $b link set vb$$ down
# mpiexec itself waits much longer for the host that it cannot reach.
for i in $(seq 150); do
  grep -q 'rank 1 of 2 (process [0-9]* on second) has not been heard of for 3 seconds' \
    "$work/said" && break
  [ "$i" -lt 150 ] || fail "$(cat "$work/said")"
  sleep 0.1
done
echo 'two_hosts.sh: two hosts compute what one device does, and one that is cut off is named'
