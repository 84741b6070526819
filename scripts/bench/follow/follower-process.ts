import { followTools } from '../../../redis/follow/copying.js';
import type { Endpoint } from '../../../redis/connection.js';
import { follow } from '../../../redis/follow/follow.js';

export interface FollowerInput {
  primary: Endpoint;
  standby: Endpoint;
  source: string;
  target: string;
}

// The follower as a worker runs it, in a process whose memory is its own.
const { primary, ...input } = JSON.parse(process.argv[2] ?? '{}') as FollowerInput;
process.once('disconnect', () => process.exit(1));
process.send?.('ready');
await new Promise((go) => process.once('message', go));
let told = false;
await follow({
  ...input,
  primary: () => Promise.resolve(primary),
  slots: [],
  tools: followTools,
  onProgress: ({ phase }) => {
    if (told || phase !== 'following') return;
    told = true;
    process.send?.('following');
  },
  signal: new AbortController().signal,
});
