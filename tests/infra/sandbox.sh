#!/bin/bash
# Run in mount and process name spaces of its own: makes the root file system of sandbox.ts under DIRECTORY/root,
# says "ready", and holds everything until its standard input ends.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
shared=$1
mount --make-rprivate /
mkdir "$shared/layer" "$shared/root"
mount -t tmpfs tmpfs "$shared/layer"
mkdir "$shared/layer/upper" "$shared/layer/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$shared/layer/upper,workdir=$shared/layer/work" "$shared/root"
mount -t proc proc "$shared/root/proc"
# devices of its own, for links among them are this machine's otherwise
mount -t tmpfs tmpfs "$shared/root/dev"
cp -a /dev/null /dev/zero /dev/random /dev/urandom /dev/tty /dev/loop* "$shared/root/dev/"
ln -s /proc/self/fd "$shared/root/dev/fd"
mount -t tmpfs tmpfs "$shared/root/run"
mount -t tmpfs -o mode=1777 tmpfs "$shared/root/tmp"
mkdir -p "$shared/root$shared"
mount --bind "$shared" "$shared/root$shared"
install -m 0755 "$here/systemctl.sh" "$shared/root/usr/local/bin/systemctl"
echo ready
cat >/dev/null
