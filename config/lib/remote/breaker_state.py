"""The state of the circuit breakers: one step of it, in Redis by a script, and in a process without Redis.

A step is one of "check", "success", "failure", "release" and "state", taken for a breaker and its whole at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from django.conf import settings
from redis import Redis, RedisError

from config.lib.redis.client import client
from config.lib.redis.guard import Guard, RedisPaused

log = structlog.get_logger(__name__)

# For each breaker: the least number of subjects that must fail for it to open, and the subjects of this failure.
Thresholds = Sequence[tuple[int, Sequence[str]]]

REDIS_SECONDS = 0.1  # to connect, and again to answer: below the 250 ms that a hint may cost
_PAUSE_SECONDS = 5.0
_KEEP_SECONDS = 86_400
_PROBE_GRACE_SECONDS = 5.0

# KEYS: one hash {failures, opened_at, probe_until, subjects, "subject:NAME"} each, a part before its whole.
# ARGV: operation, now, failures to open, reset, probe, keep, then for each key: the least number of subjects, and the
# subjects of this failure, with line breaks between them ("" is a subject of its own each time).
# Returns {granted}, then {failures, opened_at, probe_until} for each key: the state after it, times as text, 0 for
# none.
_SCRIPT = """
local op, now, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local reset, probe, keep = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local rows, granted = {}, 1
for i, key in ipairs(KEYS) do
  local row = redis.call('HMGET', key, 'failures', 'opened_at', 'probe_until')
  local failures, opened, until_ = tonumber(row[1] or '0'), tonumber(row[2] or '0'), tonumber(row[3] or '0')
  rows[i] = {failures, opened, until_, row[1]}
  if opened > 0 and (now < opened + reset or now < until_) then granted = 0 end
end
local answer, part_open = {op == 'check' and granted or 1}, false
for i, key in ipairs(KEYS) do
  local failures, opened, until_, exists = unpack(rows[i])
  local changed, was_open = false, opened > 0
  if op == 'success' then
    if exists then redis.call('DEL', key) end
    failures, opened, until_ = 0, 0, 0
  elseif op == 'check' then
    changed = granted == 1 and was_open
    if changed then until_ = now + probe end
  elseif op == 'release' or (op == 'failure' and part_open) then
    changed, until_ = until_ > 0, 0
  elseif op == 'failure' then
    changed, failures, until_ = true, failures + 1, 0
    if was_open then
      if now >= opened + reset then opened = now end
    else
      local least, subjects = tonumber(ARGV[5 + 2 * i]), 0
      for name in string.gmatch(ARGV[6 + 2 * i] .. '\\n', '([^\\n]*)\\n') do
        if name == '' or redis.call('HSETNX', key, 'subject:' .. name, 1) == 1 then subjects = subjects + 1 end
      end
      subjects = redis.call('HINCRBY', key, 'subjects', subjects)
      if failures >= most and subjects >= least then opened = now end
    end
  end
  part_open = was_open
  if changed then
    redis.call('HSET', key, 'failures', failures, 'opened_at', string.format('%.3f', opened),
      'probe_until', string.format('%.3f', until_))
    redis.call('EXPIRE', key, keep)
  end
  answer[#answer + 1] = tostring(failures)
  answer[#answer + 1] = string.format('%.3f', opened)
  answer[#answer + 1] = string.format('%.3f', until_)
end
return answer
"""


@dataclass(frozen=True)
class Row:
    failures: int = 0
    opened_at: float = 0.0
    probe_until: float = 0.0
    subjects: frozenset[str] = frozenset()  # kept by a process without Redis alone


def step_alone(rows: Sequence[Row], operation: str, now: float, thresholds: Thresholds) -> tuple[list[Row], bool]:
    """Return the rows after the step, and whether a check is granted: the script's rules, for a process alone."""
    reset = settings.BREAKER_RESET_SECONDS
    granted = operation != "check" or not any(
        row.opened_at and (now < row.opened_at + reset or now < row.probe_until) for row in rows
    )
    after: list[Row] = []
    part_open = False
    for row, (least, subjects) in zip(rows, thresholds, strict=True):
        if operation == "success":
            after.append(Row())
        elif operation == "check":
            trial = granted and row.opened_at
            after.append(replace(row, probe_until=now + _probe_seconds()) if trial else row)
        elif operation == "release" or (operation == "failure" and part_open):
            after.append(replace(row, probe_until=0.0))
        elif operation == "failure" and row.opened_at:
            after.append(Row(row.failures + 1, now if now >= row.opened_at + reset else row.opened_at))
        elif operation == "failure":
            known = row.subjects | {subject or f"\n{row.failures + 1}" for subject in subjects}
            opens = row.failures + 1 >= settings.BREAKER_FAILURES and len(known) >= least
            after.append(Row(row.failures + 1, now if opens else 0.0, subjects=known))
        else:
            after.append(row)
        part_open = bool(row.opened_at)
    return after, granted


redis_guard = Guard(pause_seconds=_PAUSE_SECONDS)


def step_in_redis(
    names: Sequence[str], operation: str, now: float, thresholds: Thresholds
) -> tuple[list[Row], bool] | None:
    """Return the same for the breakers of these names in Redis, None where Redis does not answer."""
    arguments: list[Any] = [operation, f"{now:.3f}", settings.BREAKER_FAILURES, settings.BREAKER_RESET_SECONDS]
    arguments += [_probe_seconds(), _KEEP_SECONDS]
    for least, subjects in thresholds:
        arguments += [least, "\n".join(subjects[:least])]  # as many as can open it
    try:
        with redis_guard:
            answer: Any = _client().eval(_SCRIPT, len(names), *(_key(name) for name in names), *arguments)
    except RedisPaused:
        return None
    except (RedisError, OSError) as error:
        log.warning("breaker_alone", breaker=names[0], error=type(error).__name__)
        return None
    granted, *fields = answer
    rows = [
        Row(int(failures), float(opened_at), float(probe_until))
        for failures, opened_at, probe_until in zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    ]
    return rows, granted == 1


def names_in_redis() -> list[str]:
    """Return the names of the breakers that have counted a failure in any process."""
    start = _key("")
    try:
        with redis_guard:
            keys = list(_client().scan_iter(match=f"{start}*", count=1000))
    except (RedisError, OSError):
        return []
    return [key.decode(errors="replace").removeprefix(start) for key in keys]


def _key(name: str) -> str:
    return f"{settings.CACHES['default'].get('KEY_PREFIX', '')}:breaker:{name}"


def _client() -> Redis:
    return client(connect_seconds=REDIS_SECONDS, answer_seconds=REDIS_SECONDS)


def _probe_seconds() -> float:
    """Return how long a trial may take before another is admitted: it may never end."""
    return float(settings.PROVIDER_TIMEOUT_SECONDS) + _PROBE_GRACE_SECONDS
