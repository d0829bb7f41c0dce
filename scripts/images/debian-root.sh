#!/bin/sh
# debian-root.sh FOLDER: fills it with what Node needs of the Debian around: the C and C++ libraries. No shell, no package
# manager. Scanners find the packages by dpkg's entries in status.d, as in the distroless images.
set -eu
root=$1
mkdir -p "$root/var/lib/dpkg/status.d" "$root/usr/local/bin" "$root/etc"
mkdir -m 1777 "$root/tmp"

for package in libc6 libgcc-s1 libstdc++6 libatomic1; do
  dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
  dpkg-query -L "$package" | grep -E '\.so(\.[0-9.]+)?$' | grep -v /gconv/ | xargs cp --parents --no-dereference --target-directory "$root"
done
cp "$(command -v node)" "$root/usr/local/bin/"

cp /etc/os-release "$root/etc/"
echo "hosts: files dns" >"$root/etc/nsswitch.conf"
printf '%s\n' "root:x:0:0:root:/:/sbin/nologin" "slipway:x:65532:65532:slipway:/tmp:/sbin/nologin" >"$root/etc/passwd"
printf '%s\n' "root:x:0:" "slipway:x:65532:" >"$root/etc/group"
