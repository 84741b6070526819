/** Gates of our own, in the order of evaluation. Status and overrides use these names; a PromQL query needs another. */
export const gateNames = ['topology', 'replication', 'lag', 'memory', 'disk', 'latency', 'errors'] as const;
export type GateName = (typeof gateNames)[number];
