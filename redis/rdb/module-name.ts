const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** A module's type as it is called by TYPE: nine letters of six bits each, above ten bits of version (module.c). */
export function moduleName(id: number | bigint): string {
  let name = '';
  for (let bits = BigInt(id) >> 10n; name.length < 9; bits >>= 6n) name = (letters[Number(bits & 63n)] ?? '') + name;
  return name;
}
