import { nameOf } from './name-of.js';

/**
 * Commands about several keys, as servers propagate them. A member that is importing a slot refuses them where one of the
 * keys is not there (`multiple_keys && missing_keys` in getNodeByQuery, cluster.c), in a script as "non local key"; and
 * importing is what a standby is until it is cut over to. A command about one key it takes.
 */
const names = [
  ...['DEL', 'UNLINK', 'MSET', 'MSETNX', 'RENAME', 'RENAMENX', 'COPY', 'SMOVE', 'RPOPLPUSH', 'LMOVE'],
  ...['SUNIONSTORE', 'SINTERSTORE', 'SDIFFSTORE', 'ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE', 'ZRANGESTORE'],
  ...['BITOP', 'PFMERGE', 'SORT', 'GEORADIUS', 'GEORADIUSBYMEMBER', 'GEOSEARCHSTORE'],
];
const known: ReadonlySet<string> = new Set(names);
/** By first letter and length: nearly all commands are told from them without a string being made. */
const shapes = new Uint8Array(1 << 13);
const shapeOf = (first: number, length: number): number => ((first & 0x1f) << 8) | (length & 0xff);
for (const name of names) shapes[shapeOf(name.charCodeAt(0), name.length)] = 1;

/** The command's name, where it is one of these and about more than one key. */
export function severalKeys(args: readonly Buffer[]): string | undefined {
  const [word] = args;
  if (args.length < 3 || !word || shapes[shapeOf(word[0] ?? 0, word.length)] !== 1) return undefined;
  const name = nameOf(args);
  return known.has(name) ? name : undefined;
}

/**
 * Lua 5.1: `@several name command …` does the same as the command, whichever keys are missing, by commands about one key, or
 * with something in the place of what is missing. Beside `macros`.
 */
export const severalMacro = `
local several = {}
local function missing(key) return redis.call('EXISTS', key) == 0 end
-- What is overwritten may be anything before.
local function place(key)
  if missing(key) then redis.call('SET', key, '') end
end
local function present(keys)
  local found = {}
  for _, key in ipairs(keys) do
    if not missing(key) then found[#found + 1] = key end
  end
  return found
end
local function each(c)
  for at = 2, #c do redis.call(c[1], c[at]) end
end
several['DEL'], several['UNLINK'] = each, each
local function set(c)
  for at = 2, #c, 2 do redis.call('SET', c[at], c[at + 1]) end
end
several['MSET'], several['MSETNX'] = set, set
-- To be refused as not served, for ever, is what an importing member has for a key that it lacks (or never could hold): said
-- like this it is the command that has failed, and both keys are copied.
local function rename(c)
  if missing(c[2]) then error('no such key') end
  place(c[3])
  redis.call('RENAME', c[2], c[3])
end
several['RENAME'], several['RENAMENX'] = rename, rename
several['COPY'] = function(c) own['@copy'](c) end
several['LMOVE'] = function(c) own['@lmove'](c) end
several['RPOPLPUSH'] = function(c) own['@lmove']({ '', c[2], c[3], 'RIGHT', 'LEFT' }) end
several['SMOVE'] = function(c)
  redis.call('SADD', c[3], c[4])
  if c[2] ~= c[3] then redis.call('SREM', c[2], c[4]) end
end
-- Where something is missing nothing is in common; of what is left out of a union, or taken off, nothing is missed.
local function store(c, dest, keys, needs, build)
  local found = present(keys)
  local empty = #found == 0 or (needs == 'all' and #found < #keys) or (needs == 'first' and missing(keys[1]))
  if empty then
    redis.call('DEL', dest)
    return
  end
  -- Built first: the destination may be one of those that are missing.
  local command = build(found)
  place(dest)
  redis.call(unpack(command))
end
local function sets(needs)
  return function(c)
    store(c, c[2], { unpack(c, 3) }, needs, function(found) return { c[1], c[2], unpack(found) } end)
  end
end
several['SUNIONSTORE'], several['SINTERSTORE'], several['SDIFFSTORE'] = sets('any'), sets('all'), sets('first')
local function sorted(needs)
  return function(c)
    local count = tonumber(c[3])
    local keys, weights, rest = { unpack(c, 4, 3 + count) }, {}, {}
    local at = 4 + count
    while at <= #c do
      if string.upper(c[at]) == 'WEIGHTS' then
        for i = 1, count do weights[i] = c[at + i] end
        at = at + count
      else rest[#rest + 1] = c[at] end
      at = at + 1
    end
    store(c, c[2], keys, needs, function(found)
      local command = { c[1], c[2], #found, unpack(found) }
      if #weights > 0 then
        command[#command + 1] = 'WEIGHTS'
        for i, key in ipairs(keys) do
          if not missing(key) then command[#command + 1] = weights[i] end
        end
      end
      for _, word in ipairs(rest) do command[#command + 1] = word end
      return command
    end)
  end
end
several['ZUNIONSTORE'], several['ZINTERSTORE'], several['ZDIFFSTORE'] = sorted('any'), sorted('all'), sorted('first')
local function from(dest, source)
  return function(c) store(c, c[dest], { c[source] }, 'all', function() return c end) end
end
several['ZRANGESTORE'], several['GEOSEARCHSTORE'] = from(2, 3), from(2, 3)
-- Without STORE they are about one key.
local function trailing(c)
  local dest
  for at = 3, #c - 1 do
    local word = string.upper(c[at])
    if word == 'STORE' or word == 'STOREDIST' then dest = c[at + 1] end
  end
  if dest then store(c, dest, { c[2] }, 'all', function() return c end) else redis.call(unpack(c)) end
end
several['SORT'], several['GEORADIUS'], several['GEORADIUSBYMEMBER'] = trailing, trailing, trailing
several['BITOP'] = function(c)
  local placed = {}
  for at = 4, #c do
    if missing(c[at]) then
      redis.call('SET', c[at], '')
      if c[at] ~= c[3] then placed[#placed + 1] = c[at] end
    end
  end
  place(c[3])
  redis.call(unpack(c))
  for _, key in ipairs(placed) do redis.call('DEL', key) end
end
several['PFMERGE'] = function(c)
  local found = present({ unpack(c, 3) })
  if missing(c[2]) then redis.call('PFADD', c[2]) end
  redis.call(c[1], c[2], unpack(found))
end
own['@several'] = function(c) several[c[2]]({ unpack(c, 3) }) end
`;
