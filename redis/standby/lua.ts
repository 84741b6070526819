/** A script that calls commands by the names that the deployment gives them. */
export const withNames = (lua: string, renamed: Readonly<Record<string, string>> = {}): string =>
  lua.replace(/call\('([A-Z]+)'/g, (as, name: string) => (name in renamed ? `call('${renamed[name]}'` : as));

/**
 * Defines `fieldsExpire()`: has the server a hash whose fields expire? And `shiftFields(key, by, least)`: each such expiry of
 * a hash comes later (or earlier) by so many ms, and none within `least`.
 *
 * Redis counts these hashes in INFO from 7.4 on, Valkey from 9.0. A hash is read to its end first: HSCAN may show a field
 * twice, and once more when its expiry was set.
 */
export const fieldExpiries = `
local function fieldsExpire()
  local info = redis.call('INFO', 'keyspace')
  return (string.find(info, 'subexpiry=[1-9]') or string.find(info, 'volatile_items=[1-9]')) ~= nil
end
local function shiftFields(key, by, least)
  if redis.call('TYPE', key)['ok'] ~= 'hash' then return end
  local clock = redis.call('TIME')
  local earliest = clock[1] * 1000 + math.floor(clock[2] / 1000) + least
  local found, cursor = {}, '0'
  repeat
    local page = redis.call('HSCAN', key, cursor, 'COUNT', 1000, 'NOVALUES')
    cursor = page[1]
    for from = 1, #page[2], 1000 do
      local names = { unpack(page[2], from, math.min(from + 999, #page[2])) }
      local times = redis.call('HPEXPIRETIME', key, 'FIELDS', #names, unpack(names))
      for i, at in ipairs(times) do
        if at > 0 then found[names[i]] = at end
      end
    end
  until cursor == '0'
  for name, at in pairs(found) do
    redis.call('HPEXPIREAT', key, string.format('%.0f', math.max(at + by, earliest)), 'FIELDS', 1, name)
  end
end
`;
