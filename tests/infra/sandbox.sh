#!/bin/bash
# sandbox.sh DIRECTORY DENO [systemd]
# Run in name spaces of its own: makes the root file system of sandbox.ts under DIRECTORY/root, says "ready", and
# holds everything until its standard input ends; or goes there for good and becomes its systemd. The program DENO
# is /opt/deno there.
set -euo pipefail
# Other users must be able to enter what is made here, whatever the umask of the caller.
umask 022
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
shared=$1
deno=$2
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

install -m 0755 "$deno" "$shared/root/opt/deno"

if [[ ${3:-} != systemd ]]; then
  install -m 0755 "$here/systemctl.sh" "$shared/root/usr/local/bin/systemctl"
  echo ready
  cat >/dev/null
  exit
fi

mount -t sysfs sysfs "$shared/root/sys"
mount -t cgroup2 cgroup2 "$shared/root/sys/fs/cgroup"
mkdir "$shared/root/dev/pts" "$shared/root/dev/shm"
mount -t devpts devpts "$shared/root/dev/pts"
ln -s pts/ptmx "$shared/root/dev/ptmx"
# nothing of what this machine starts, only what a test asks for
rm -rf "$shared/root/etc/systemd/system/"*.wants
# As at a boot: what the system does before its first service, such as clearing /tmp, is done.
printf '[Unit]\nAllowIsolate=yes\nWants=sysinit.target\nAfter=sysinit.target\n' >"$shared/root/etc/systemd/system/sandbox.target"
# User name spaces, which units ask for, are not to be had in a mere chroot.
cd "$shared/root"
mkdir -p old
pivot_root . old
umount -l /old
echo ready
exec env -i container=kvs /lib/systemd/systemd --system --unit=sandbox.target >/dev/null 2>&1
