import { fieldExpiries, withNames } from '../standby/lua.js';
import { severalMacro } from './several-keys.js';

/**
 * Applies one batch to a standby, whole, and notes in the same step how far it came. It does nothing unless the record
 * says that the standby stands where the batch begins: a batch that is sent twice, or by two followers, counts once.
 *
 * ARGV: record, replid, offset, step (as they must be), replid afterwards, the database that is selected, offset afterwards,
 * how many marks, the marks, then pieces. A mark is a field of the record; one that begins with `-` is taken off at the end. A piece is a number and a
 * command; the number is `bytes of the stream that end with it * 2^14 + arguments`.
 *
 * The first command that fails ends the batch: the record then stands before it, and what follows is as if never sent.
 * Nothing else could be right, since what comes after may depend on it. What has found nothing to do has failed as well, where
 * the primary tells of it only because it has done it (an expiry, COPY). `@perhaps` before it lets that pass.
 */
export const applyScript = (macros: string, renamed: Readonly<Record<string, string>> = {}): string =>
  withNames(
    script(
      macros,
      findsNothing.map((it) => renamed[it] ?? it),
    ),
    renamed,
  );

/** They answer 0 where there is no such key, or nothing to be done. */
const findsNothing = ['PEXPIREAT', 'PEXPIRE', 'PERSIST', 'COPY', 'MOVE', 'RENAMENX'];

const script = (macros: string, mustFind: readonly string[]): string => `
if redis.replicate_commands then pcall(redis.replicate_commands) end
${macros}
local record, replid, offset, step = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local found = redis.call('HMGET', record, 'replid', 'offset', 'step', 'wanted')
if found[1] ~= replid or found[2] ~= offset or (found[3] or '0') ~= step then
  return {'elsewhere', found[1] or '', found[2] or '', found[3] or '0'}
end
local db = ARGV[6]
local marks = tonumber(ARGV[8])
for at = 9, 8 + marks do
  local mark = ARGV[at]
  if string.sub(mark, 1, 1) == 'k' and redis.call('HSETNX', record, mark, '1') == 1 then
    redis.call('HINCRBY', record, 'dirty', 1)
  end
end
if db ~= '0' then redis.call('SELECT', db) end

local function expiryOf(key)
  local left = redis.call('PTTL', key)
  if left < 0 then return nil end
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000), left
end

local own = {}
own['@select'] = function(c)
  redis.call('SELECT', c[2])
  db = c[2]
end
own['@perhaps'] = function(c) redis.call(unpack(c, 2)) end
-- What empties or swaps databases must leave the record where it is.
own['@around'] = function(c)
  if db ~= '0' then redis.call('SELECT', '0') end
  local kept = redis.call('HGETALL', record)
  redis.call('DEL', record)
  if db ~= '0' then redis.call('SELECT', db) end
  local done, failure = pcall(redis.call, unpack(c, 2))
  if db ~= '0' then redis.call('SELECT', '0') end
  for at = 1, #kept, 2 do redis.call('HSET', record, kept[at], kept[at + 1]) end
  if db ~= '0' then redis.call('SELECT', db) end
  if not done then error(failure) end
end
-- Expiries of these keys, and of their fields, come earlier (or later) by what the margin shrinks (or grows); none within
-- the new margin.
${fieldExpiries}
local function shift(keys, by, least)
  local fields = #keys > 0 and fieldsExpire()
  for _, key in ipairs(keys) do
    if fields then shiftFields(key, by, least) end
    local now, left = expiryOf(key)
    if now then
      local ms = math.max(left + by, least)
      redis.call('PEXPIREAT', key, string.format('%.0f', now + ms))
    end
  end
end
own['@exact'] = function(c)
  for at = 6, #c do
    local count = redis.call('CLUSTER', 'COUNTKEYSINSLOT', c[at])
    if count > 0 then shift(redis.call('CLUSTER', 'GETKEYSINSLOT', c[at], count), tonumber(c[2]), tonumber(c[3])) end
  end
  redis.call('HSET', record, 'exact', c[4], 'exactMs', c[5])
end
own['@exactall'] = function(c)
  for at = 6, #c do
    redis.call('SELECT', c[at])
    local cursor = '0'
    repeat
      local page = redis.call('SCAN', cursor, 'COUNT', 1000)
      cursor = page[1]
      shift(page[2], tonumber(c[2]), tonumber(c[3]))
    until cursor == '0'
  end
  redis.call('SELECT', '0')
  redis.call('HSET', record, 'exact', c[4], 'exactMs', c[5])
  redis.call('SELECT', db)
end

local mustFind = { ${mustFind.map((it) => `['${it}'] = true`).join(', ')} }
-- Globals are looked up in a table each time, and this is what all the time goes into.
local argv, run, number, list, floor = ARGV, redis.pcall, tonumber, unpack, math.floor
for name, macro in pairs(macros) do own[name] = macro end
-- It leaves the database selected that it has copied to.
own['@copy'] = function(c)
  local fine, failure = pcall(macros['@copy'], c)
  redis.call('SELECT', db)
  if not fine then error(failure) end
end
${severalMacro}
local at, done, piece, failed = 9 + marks, tonumber(offset), 0, nil
local text = argv[at]
while text do
  local head = number(text)
  local count = head % 16384
  local name = argv[at + 1]
  local macro = own[name]
  if macro then
    local fine, failure = pcall(macro, {list(argv, at + 1, at + count)})
    if not fine then failed = type(failure) == 'table' and failure.err or failure end
  else
    local reply
    if count == 3 then reply = run(name, argv[at + 2], argv[at + 3])
    elseif count == 2 then reply = run(name, argv[at + 2])
    else reply = run(list(argv, at + 1, at + count)) end
    if type(reply) == 'table' and reply.err then failed = reply.err
    elseif reply == 0 and mustFind[string.upper(name)] then failed = name .. ' found nothing' end
  end
  if failed then break end
  done = done + floor(head / 16384)
  piece = piece + 1
  at = at + count + 1
  text = argv[at]
end

if db ~= '0' then redis.call('SELECT', '0') end
if not failed then
  for mark = 9, 8 + marks do
    local field = ARGV[mark]
    if string.sub(field, 1, 1) == '-' and redis.call('HDEL', record, string.sub(field, 2)) == 1 then
      redis.call('HINCRBY', record, 'dirty', -1)
    end
  end
end
local now = redis.call('TIME')
local reached = failed and string.format('%.0f', done) or ARGV[7]
redis.call('HSET', record, 'replid', ARGV[5], 'offset', reached, 'step', tonumber(step) + 1,
  'db', db, 'at', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)))
if failed then return {'failed', tostring(piece), tostring(failed)} end
return {'applied', found[4] or ''}
`;
