/** How many keys a database has, and how many of them expire. */
export interface DatabaseKeys {
  database: number;
  keys: number;
  expires: number;
}

/** Of INFO: `db0:keys=12,expires=3,avg_ttl=0`. A database without keys has no line. */
export const keyspaceOf = (info: Readonly<Record<string, string>>): DatabaseKeys[] =>
  Object.entries(info).flatMap(([name, value]) => {
    const [, database] = /^db(\d+)$/.exec(name) ?? [];
    const [, keys, expires] = /^keys=(\d+),expires=(\d+)/.exec(value) ?? [];
    return database === undefined || keys === undefined
      ? []
      : [{ database: Number(database), keys: Number(keys), expires: Number(expires) }];
  });

/** Keys of all databases. */
export const keysIn = (info: Readonly<Record<string, string>>): number =>
  keyspaceOf(info).reduce((sum, { keys }) => sum + keys, 0);
