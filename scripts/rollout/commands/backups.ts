import type { Command } from 'commander';
import { loadDeployment } from '../../../integrations/deployment-files.js';
import { command } from '../command.js';
import { print, printJson, widthOf } from '../terminal.js';
import { archiveView, listedArchive } from '../views/archive-view.js';
import { backupsView, listedBackup } from '../views/backup-view.js';
import { leftoversView } from '../views/prune-view.js';
import { pruneBackupsCommand } from './prune-backups.js';

export function backupsCommand(): Command {
  return command('backups', {
    summary: 'what backups there are, and which are proven',
    description:
      'Reads the deployment’s target: every backup with its age, size and key, how close together its shards were cut, and ' +
      'whether it was ever restored. It reads the target itself: no Temporal is needed, and no key.',
    examples: [
      ['rollout backups orders', 'the newest first'],
      ['rollout backups prune orders --dry-run', 'which would go, and why'],
      ['rollout backups orders --json | jq ".backups[0].backup"', 'for scripts'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .addCommand(pruneBackupsCommand())
    .action(backups);
}

async function backups(name: string, { json }: { json?: true }): Promise<void> {
  const deployment = await loadDeployment(name);
  const { BackupStore, manifestsOf } = await import('../../../integrations/backup-store.js');
  const store = await BackupStore.open(deployment);
  const { ArchiveStore } = await import('../../../integrations/archive-store.js');
  const segments = await (await ArchiveStore.open(deployment)).segments();
  const now = Date.now();
  const entries = await store.all();
  const listed = entries.map(listedBackup);
  const archive = listedArchive(segments, manifestsOf(entries));
  const leftovers = (await store.leftovers(now)).map(({ backup, objects, unfinished, bytes }) => ({
    ...{ backup, objects: objects.length, unfinished: unfinished.length, bytes },
  }));
  if (json) printJson({ deployment: name, target: store.name, backups: listed, leftovers, archive });
  else {
    const about = { deployment: name, target: store.name, now, width: widthOf(process.stdout) };
    print([...backupsView(listed, about), ...leftoversView(leftovers, name), ...archiveView(archive, about)]);
  }
}
