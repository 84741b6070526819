import { expect, test } from 'vitest';
import { datasetBytes } from '../../redis/info.js';

test.each([
  [{ used_memory: '2000000', used_memory_dataset: '1500000' }, 1_500_000],
  [{ used_memory: '2000000', used_memory_dataset: '18446744073709544968' }, 2_000_000],
  [{ used_memory: '2000000' }, 2_000_000],
  [{}, 0],
])('the dataset of %o is of %i bytes', (info, bytes) => {
  expect(datasetBytes(info)).toBe(bytes);
});
