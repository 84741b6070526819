/** A command's name, in upper case. */
export const nameOf = (args: readonly Buffer[]): string => args[0]?.toString('latin1').toUpperCase() ?? '';
