import { goInstall } from './go-program.js';

export const VERSITYGW = 'versitygw';

/** There are official archives too; none of their checksums could be taken from two places so far, so none is trusted. */
export const versitygwByGo = goInstall({
  release: '1.8.0',
  program: VERSITYGW,
  main: 'github.com/versity/versitygw/cmd/versitygw',
  stamp: 'main.Version',
  takes: 'two minutes',
});
