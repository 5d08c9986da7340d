import { ApplianceError } from '../../schemas/errors.ts'

/** What a question may take of the catalog, which answers others and reads tapes meanwhile. */
export const ANSWER_MS = 5_000
const QUERY_CANCELED = '57014'

/**
 * PGlite has no clock that could end a statement: it is the statement that looks at one, row by row. A function that costs nothing, so the planner
 * asks it before anything that does.
 */
export const IN_TIME_SQL = `
create or replace function pg_temp.in_time(until double precision, of_row anyelement) returns boolean
language plpgsql volatile cost 0.0001 as $$
begin
  if extract(epoch from clock_timestamp()) * 1000 > until then
    raise exception 'late' using errcode = '${QUERY_CANCELED}';
  end if;
  return true;
end $$`

/** What was ended because it took too long is told as what it is. */
export async function endedInTime<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (typeof error !== 'object' || error === null || Reflect.get(error, 'code') !== QUERY_CANCELED) throw error
    throw new ApplianceError(
      'API_INVALID',
      `the catalog was not done with this after ${ANSWER_MS / 1000} s; narrow it: since: and until:, target: or identity:, a longer text, or a table: without a star in front`,
      { cause: error },
    )
  }
}
