// Plain Node without dependencies: it is what makes them be there. Used by every npm script and by the `rollout` command:
//   node scripts/bootstrap.mjs scripts/demo.ts --yes
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const least = [20, 19];

/** Runs a .ts script of this project in a child process; its exit code and signals become ours. */
export async function launch(script, args) {
  refuseOldNode();
  installDependencies();
  const { programOf } = await import('../launch/program.mjs');
  const { execArgv, file } = await programOf(resolve(root, script));
  const child = spawn(process.execPath, [...execArgv, file, ...args], {
    stdio: 'inherit',
    // glibc gives each thread a pool of its own by default, and a worker's threads never give theirs back: 80 MB.
    env: { MALLOC_ARENA_MAX: '1', ...process.env },
  });
  // A terminal sends Ctrl-C to both of us: we wait for the child, which may have servers to end first.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => passOn(child, signal));
  child.on('error', (error) => fail(`${script} could not be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 1);
  });
}

function passOn(child, signal) {
  // On a terminal the whole foreground group got SIGINT already; a second one would read as "at once".
  if (signal === 'SIGINT' && process.stdin.isTTY) return;
  child.kill(signal);
}

function refuseOldNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > least[0] || (major === least[0] && minor >= least[1])) return;
  fail(
    `Node ${least.join('.')} or newer is needed, this is ${process.version} (${process.execPath}).\n` +
      '  Install a current LTS release, for example with nvm, fnm, brew or your distribution, and run this again.',
  );
}

/** npm writes node_modules/.package-lock.json at the end of an install: older than package-lock.json means not up to date. */
function installDependencies() {
  const lock = join(root, 'package-lock.json');
  const installed = join(root, 'node_modules', '.package-lock.json');
  const reason = !existsSync(installed)
    ? 'node_modules is missing'
    : statSync(installed).mtimeMs < statSync(lock).mtimeMs && !agree(lock, installed)
      ? 'package-lock.json is newer than node_modules'
      : undefined;
  if (reason === undefined) return;
  console.error(`${reason}: running npm ci`);
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // Standard output is the script's own: `--json` must stay readable on a fresh clone too.
  const { status, error } = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=warn'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0)
    fail(
      `npm ci failed in ${root}${error ? `: ${error.message}` : ''}.\n  See its messages above; behind a proxy or mirror set npm's \`registry\` and \`proxy\`.`,
    );
}

/**
 * A checkout gives package-lock.json a new time without a new content: then nothing is torn down, and the next run need
 * not compare again. Optional packages of other platforms are in the lock only.
 */
function agree(lock, installed) {
  const [wanted, present] = [lock, installed].map((file) => JSON.parse(readFileSync(file, 'utf8')).packages ?? {});
  const same =
    Object.entries(present).every(([path, { integrity }]) => wanted[path]?.integrity === integrity) &&
    Object.entries(wanted).every(([path, it]) => path === '' || it.optional || it.peer || path in present);
  if (same) utimesSync(installed, new Date(), new Date());
  return same;
}

function fail(message) {
  console.error(`redis-rollout: ${message}`);
  process.exit(1);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [script, ...args] = process.argv.slice(2);
  if (script === undefined) fail('usage: node scripts/bootstrap.mjs SCRIPT.ts [ARGUMENT...]');
  await launch(script, args);
}
