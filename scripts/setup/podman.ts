import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianProgram } from './debian.js';
import type { Route } from './route.js';

const unpacked = debianProgram('podman', { as: 'podman-alone', path: 'usr/bin/podman', beside: ['runc'] });

/**
 * podman with its images in a folder of its own, so that nobody's are touched, and with what lies beside it. Its rules for
 * signatures are looked for in HOME only. What starts once a container has ended gets no other environment than the
 * configuration's. The limits that podman sets by default are higher than what root may set where it lacks a capability.
 * runc, for crun refuses machines that have both versions of control groups.
 */
const LAUNCHER = `#!/bin/sh
here=$(readlink -f "$(dirname "$(readlink -f "$0")")/..")
# A package that the machine has already is not unpacked.
found() { [ -e "$here/root/$1" ] && echo "$here/root/$1" || echo "/$1"; }
state="\${TMPDIR:-/tmp}/redis-rollout-podman-$(id -u)"
mkdir -m 700 "$state" 2> /dev/null
[ -O "$state" ] && [ ! -L "$state" ] || { echo "podman: $state is somebody else's" >&2; exit 125; }
export HOME="$state/home" CONTAINERS_CONF="$state/home/containers.conf"
mkdir -p "$HOME/.config/containers"
place() { cat > "$1.$$" && mv "$1.$$" "$1"; }
place "$HOME/.config/containers/policy.json" < "$(found etc/containers/policy.json)"
place "$CONTAINERS_CONF" << END
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
conmon_path = ["$(found usr/bin/conmon)"]
conmon_env_vars = ["LD_LIBRARY_PATH=$(echo "$here"/root/usr/lib/*-linux-gnu)"]
END
exec "$here/bin/podman-alone" --runtime "$(found usr/sbin/runc)" --cgroup-manager cgroupfs --storage-driver vfs \\
  --root "$state/storage" --runroot "$state/run" --tmpdir "$state/tmp" "$@"
`;

export const podmanByDebian: Route = {
  name: 'Debian packages podman and runc, unpacked',
  async obtain(folder, tools) {
    const sources = await unpacked.obtain(folder, tools);
    const launcher = join(folder, 'bin', 'podman');
    await writeFile(launcher, LAUNCHER);
    await chmod(launcher, 0o755);
    return sources;
  },
};
