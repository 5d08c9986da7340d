import { ApplianceError } from '../../schemas/errors.ts'
import { left } from './turns.ts'

/** What a question may take of the catalog, which answers others and reads tapes meanwhile. */
export const ANSWER_MS = 5_000
const QUERY_CANCELED = '57014'

/** Of PGlite's own file system: a byte, 1 once nobody waits for what runs. */
export const LEFT_FILE = '/dev/left'

/**
 * PGlite has no clock that could end a statement, and hears nothing while one runs: it is the statement that looks at a clock, row by row, and in
 * one millisecond of sixteen at whether somebody waits. A function that costs nothing, so the planner asks it before anything that does.
 */
export const IN_TIME_SQL = `
create or replace function pg_temp.in_time(until double precision, of_row anyelement) returns boolean
language plpgsql volatile cost 0.0001 as $$
declare
  now_ms double precision := extract(epoch from clock_timestamp()) * 1000;
begin
  if now_ms > until or now_ms::bigint & 15 = 0 and get_byte(pg_read_binary_file('${LEFT_FILE}', 0, 1), 0) = 1 then
    raise exception 'late, or left' using errcode = '${QUERY_CANCELED}';
  end if;
  return true;
end $$`

/** What was ended because it took too long, or because its asker has gone, is told as what it is. */
export async function endedInTime<T>(work: Promise<T>, gone?: AbortSignal): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (gone?.aborted === true) throw left()
    if (typeof error !== 'object' || error === null || Reflect.get(error, 'code') !== QUERY_CANCELED) throw error
    throw new ApplianceError(
      'API_INVALID',
      `the catalog was not done with this after ${ANSWER_MS / 1000} s; narrow it: since: and until:, target: or identity:, a longer text, or a table: without a star in front`,
      { cause: error },
    )
  }
}
