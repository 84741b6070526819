import { expect, test } from 'vitest';
import { addressOf, at, splitAddress } from '../../model/endpoint.js';

test.each([
  ['10.0.0.1:6379', '10.0.0.1', 6379],
  ['redis-1.example.net:7000', 'redis-1.example.net', 7000],
  ['[fd00::1]:6379', 'fd00::1', 6379],
  [':6379', '', 6379],
])('%s is split into host and port, and put together again', (address, host, port) => {
  expect(splitAddress(address)).toEqual({ host, port });
  expect(addressOf({ host, port })).toBe(address);
});

test('another address keeps user, password and renamed commands', () => {
  const endpoint = { host: 'a', port: 1, username: 'ops', password: 'p', commands: { CONFIG: 'X' } };
  expect(at(endpoint, 'b:2')).toEqual({ ...endpoint, host: 'b', port: 2 });
});
