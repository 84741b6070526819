import { backupTarget, type BackupPlace } from '../../../integrations/backup-target.js';

// The last part of a pipe: what comes on standard input goes into the bucket, as `aws s3 cp -` would put it.
const { place, object } = JSON.parse(process.argv[2] ?? '{}') as { place: BackupPlace; object: string };
const { bytes } = await (await backupTarget(place)).put(object, process.stdin as AsyncIterable<Buffer>);
process.stdout.write(`${bytes}\n`);
process.exit(0);
