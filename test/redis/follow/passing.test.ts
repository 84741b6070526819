/** What releases say of a command in a script, each as the server of that release said it, and what it means to a follower. */
import { expect, test } from 'vitest';
import { isLacking, isNotServed, isPassing } from '../../../redis/follow/passing.js';

const notServed = [
  ['5.0 to 6.2', '@user_script: 1: Lua script attempted to access a non local key in a cluster node'],
  ['7.0 to 8.2, Valkey 8.1', 'ERR Script attempted to access a non local key in a cluster node'],
  ['Valkey 9.1', 'ERR Attempted to access a non local key in a cluster node'],
  ['7.4 to 8.2, Valkey 8.1: the slot has no owner', 'ERR Script attempted to access a slot not served'],
  [
    'the same of redis.call, with where it was called',
    'ERR Script attempted to access a slot not served script: 3c44b7a4, on @user_script:1.',
  ],
  ['outside of a script', 'MOVED 15891 127.0.0.1:7000'],
  ['outside of a script, with one key there', 'ASK 15891 127.0.0.1:7000'],
  ['outside of a script, with several keys', 'TRYAGAIN Multiple keys request during rehashing of slot'],
] as const;

test.each(notServed)('%s: not served, which passes at first', (_, text) => {
  expect([isNotServed(text), isPassing(text)]).toEqual([true, true]);
});

const down = [
  ['6.0, 6.2', '@user_script: 1: Lua script attempted to execute a command while the cluster is down'],
  ['7.0 to 8.2, Valkey 8.1', 'ERR Script attempted to execute a command while the cluster is down'],
  ['7.0 to 8.2', 'ERR Script attempted to execute a write command while the cluster is down and readonly'],
  ['Valkey 9.1', "ERR Can not execute a command 'set' while the cluster is down"],
  ['outside of a script', 'CLUSTERDOWN Hash slot not served'],
  ['while it loads', 'LOADING Redis is loading the dataset in memory'],
] as const;

test.each(down)('%s: the state of the whole server, which passes however long it takes', (_, text) => {
  expect([isNotServed(text), isPassing(text)]).toEqual([false, true]);
});

const failed = [
  [
    '7.4 to 8.2, Valkey 8.1: some key of several is missing',
    "ERR Unable to execute command 'rename' in script because undeclared keys were accessed during rehashing of the slot",
  ],
  [
    '7.4 to 8.2, Valkey 8.1: several slots',
    "ERR Command 'mset' in script attempted to access keys that don't hash to the same slot",
  ],
  ['a macro of ours', '@user_script:412: no such key'],
  ['any', 'WRONGTYPE Operation against a key holding the wrong kind of value'],
] as const;

test.each(failed)('%s: the command has failed', (_, text) => {
  expect([isNotServed(text), isPassing(text)]).toEqual([false, false]);
});

test.each([
  ['5.0', "@user_script: 1: -OOM command not allowed when used memory > 'maxmemory'."],
  ['7.0', "OOM command not allowed when used memory > 'maxmemory'."],
  ['any', 'NOPERM this user has no permissions to access one of the keys used as arguments'],
])('%s: somebody has to mend it, and it passes then', (_, text) => {
  expect([isLacking(text), isPassing(text), isNotServed(text)]).toEqual([true, true, false]);
});
