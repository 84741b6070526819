/**
 * A chunk of Lua 5.1 that defines a local table `macros`: functions by name (`@lmove`), each given the whole command,
 * its own name first. They do in one go on an older server what no single command of it does. To be put in front of the
 * script that applies a batch; every read of theirs has constant size but for what the command itself stores anew.
 */
export const macros = `
local call = redis.call
local macros = {}

local function each(list, from, size, use)
  for at = from, #list, size do
    use(unpack(list, at, math.min(at + size - 1, #list)))
  end
end

-- Expiry as a Unix time in ms, which releases before 7.0 don't tell: both clocks read within the same millisecond.
local function expiryOf(key)
  while true do
    local a = call('TIME')
    local left = call('PTTL', key)
    local b = call('TIME')
    local now = a[1] * 1000 + math.floor(a[2] / 1000)
    if left < 0 then return nil end
    if now == b[1] * 1000 + math.floor(b[2] / 1000) then return string.format('%.0f', now + left) end
  end
end

macros['@setkeepttl'] = function(c)
  local at = expiryOf(c[2])
  call('SET', c[2], c[3])
  if at then call('PEXPIREAT', c[2], at) end
end

-- Pushed first: a list that is moved within itself must not vanish, with its expiry, when it has one element.
macros['@lmove'] = function(c)
  local value = call('LINDEX', c[2], c[4] == 'LEFT' and 0 or -1)
  if not value then return end
  call(c[5] == 'LEFT' and 'LPUSH' or 'RPUSH', c[3], value)
  call(c[4] == 'LEFT' and 'LPOP' or 'RPOP', c[2])
end

-- COPY source target [DB n] [REPLACE], which was carried out: whatever the target held is replaced.
macros['@copy'] = function(c)
  local db
  for at = 4, #c do
    if string.upper(c[at]) == 'DB' then db = c[at + 1] end
  end
  local value = call('DUMP', c[2])
  if not value then error('COPY found nothing') end
  local at = expiryOf(c[2])
  if db then call('SELECT', db) end
  if at then
    call('RESTORE', c[3], at, value, 'REPLACE', 'ABSTTL')
  else
    call('RESTORE', c[3], 0, value, 'REPLACE')
  end
end

-- Scores stay text, with 17 digits: the double of each comes back exactly.
local function store(target, scored)
  call('DEL', target)
  each(scored, 1, 4000, function(...) call('ZADD', target, ...) end)
end

macros['@zadd'] = function(c)
  local key, only, gt, incr = c[2], false, false, false
  local at = 3
  while true do
    local flag = string.upper(c[at])
    if flag == 'XX' then only = true
    elseif flag == 'GT' then gt = true
    elseif flag == 'INCR' then incr = true
    elseif flag ~= 'LT' and flag ~= 'CH' then break end
    at = at + 1
  end
  for i = at, #c, 2 do
    local score, member = c[i], c[i + 1]
    local present = call('ZSCORE', key, member)
    if not present then
      if not only then call('ZADD', key, score, member) end
    else
      local now, to = tonumber(present), tonumber(score)
      if incr then to = now + to end
      if (gt and to > now) or (not gt and to < now) then
        call(incr and 'ZINCRBY' or 'ZADD', key, score, member)
      end
    end
  end
end

-- ZRANGESTORE target source min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
macros['@zrangestore'] = function(c)
  local by, rev, limit = '', false, {}
  local at = 6
  while at <= #c do
    local word = string.upper(c[at])
    if word == 'BYSCORE' or word == 'BYLEX' then by = word
    elseif word == 'REV' then rev = true
    elseif word == 'LIMIT' then limit = { 'LIMIT', c[at + 1], c[at + 2] } at = at + 2 end
    at = at + 1
  end
  local name = (rev and 'ZREVRANGE' or 'ZRANGE') .. by
  local query = { name, c[3], c[4], c[5] }
  if by ~= 'BYLEX' then query[5] = 'WITHSCORES' end
  for i = 1, #limit do query[#query + 1] = limit[i] end
  local found = call(unpack(query))
  local scored = {}
  if by == 'BYLEX' then
    for i = 1, #found do
      scored[2 * i - 1] = call('ZSCORE', c[3], found[i])
      scored[2 * i] = found[i]
    end
  else
    for i = 1, #found, 2 do
      scored[i], scored[i + 1] = found[i + 1], found[i]
    end
  end
  store(c[2], scored)
end

-- ZDIFFSTORE target n key …; a set counts as a sorted set whose scores are all 1.
macros['@zdiffstore'] = function(c)
  local scores, order = {}, {}
  for k = 4, 3 + tonumber(c[3]) do
    local kind = call('TYPE', c[k])['ok']
    local found = {}
    if kind == 'set' then
      for i, member in ipairs(call('SMEMBERS', c[k])) do found[2 * i - 1], found[2 * i] = member, '1' end
    elseif kind == 'zset' then
      found = call('ZRANGE', c[k], 0, -1, 'WITHSCORES')
    end
    for i = 1, #found, 2 do
      if k == 4 then
        scores[found[i]] = found[i + 1]
        order[#order + 1] = found[i]
      else
        scores[found[i]] = nil
      end
    end
  end
  local scored = {}
  for _, member in ipairs(order) do
    if scores[member] then
      scored[#scored + 1] = scores[member]
      scored[#scored + 1] = member
    end
  end
  store(c[2], scored)
end

-- Deletes every entry before the id. Of two ids only equality can be told here: as numbers they are too long.
macros['@xtrimminid'] = function(c)
  local ms, seq = string.match(c[3], '^0*(%d+)%-?0*(%d*)$')
  local first = ms .. '-' .. (seq == '' and '0' or seq)
  while true do
    local ids = {}
    for _, entry in ipairs(call('XRANGE', c[2], '-', first, 'COUNT', 512)) do
      if entry[1] ~= first then ids[#ids + 1] = entry[1] end
    end
    if #ids == 0 then return end
    call('XDEL', c[2], unpack(ids))
  end
end

-- Only claiming an entry makes a consumer, so there is one for a moment, beyond every other.
macros['@xcreateconsumer'] = function(c)
  local id = '18446744073709551615-18446744073709551615'
  local info, last = call('XINFO', 'STREAM', c[2]), nil
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then last = info[at + 1] end
  end
  call('XADD', c[2], id, '', '')
  call('XCLAIM', c[2], c[3], c[4], 0, id, 'FORCE', 'JUSTID')
  call('XACK', c[2], c[3], id)
  call('XDEL', c[2], id)
  call('XSETID', c[2], last)
end

macros['@xclaim'] = function(c)
  if #call('XRANGE', c[2], c[6], c[6]) == 0 then
    call('XACK', c[2], c[3], c[6])
  else
    c[1] = 'XCLAIM'
    call(unpack(c))
  end
end

local function forget(key, ids)
  for _, group in ipairs(call('XINFO', 'GROUPS', key)) do
    each(ids, 1, 4000, function(...) call('XACK', key, group[2], ...) end)
  end
end

macros['@xdelref'] = function(c)
  local ids = { unpack(c, 3) }
  forget(c[2], ids)
  each(ids, 1, 4000, function(...) call('XDEL', c[2], ...) end)
end

-- XACKDEL deletes what was pending, and nothing else.
macros['@xackdel'] = function(c)
  for at = 5, #c do
    if call('XACK', c[2], c[3], c[at]) == 1 then
      if c[4] == 'DELREF' then forget(c[2], { c[at] }) end
      call('XDEL', c[2], c[at])
    end
  end
end

-- On 7.4 HSET ends a field's expiry, and there is no other way to set its value.
macros['@hsetkeepttl'] = function(c)
  for at = 3, #c, 2 do
    local expiry = call('HPEXPIRETIME', c[2], 'FIELDS', 1, c[at])
    call('HSET', c[2], c[at], c[at + 1])
    if type(expiry) == 'table' and expiry[1] and expiry[1] >= 0 then
      call('HPEXPIREAT', c[2], string.format('%.0f', expiry[1]), 'FIELDS', 1, c[at])
    end
  end
end
`;
