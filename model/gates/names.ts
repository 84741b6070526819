/** Gates of our own, in the order of evaluation. Status and overrides use these names; a PromQL query needs another. */
export const gateNames = [
  ...(['topology', 'replication', 'lag', 'memory', 'disk', 'clock'] as const),
  ...(['latency', 'errors', 'standby'] as const),
] as const;
export type GateName = (typeof gateNames)[number];

/** Asked by the workflow itself, since they are about when and whom, not about what is measured. */
export const windowGateName = 'window';
/** Is the upgraded deployment what it was? Tried by the workflow, once after the last node. */
export const validationGateName = 'validation';
/** Names that a PromQL query can't have. */
export const reservedGates = [...gateNames, 'handover', windowGateName, validationGateName] as const;
