-- Writes something small after everything written so far, so that a replica that has this has all of it. Answered only by a
-- state in whose history the caller's last commit is.
--
-- KEYS[8]  settling  string
-- Result   { 'settling' }

redis.call('SET', KEYS[8], '1', 'PX', 1000)
return { 'settling' }
