import { AGENTS, type Pack } from './pack.ts'

export const destructive: Pack = {
  name: 'destructive',
  version: 1,
  about: 'what destroys or locks more than a row that was named',
  rules: [
    {
      id: 'destructive.no-where',
      on: 'postgres',
      match: { verb: ['DELETE', 'UPDATE'], has_where: false },
      action: 'hold',
      reason: 'DELETE or UPDATE of a whole table',
      hint: 'add a WHERE, or wait for the approval',
    },
    {
      id: 'destructive.trivial-where',
      on: 'postgres',
      match: { verb: ['DELETE', 'UPDATE'], where_trivial: true },
      action: 'hold',
      reason: 'DELETE or UPDATE with a WHERE that keeps every row',
    },
    {
      id: 'destructive.destroy',
      on: 'postgres',
      match: { verb: ['TRUNCATE', 'DROP'] },
      action: 'hold',
      reason: 'TRUNCATE or DROP',
    },
    {
      id: 'destructive.ddl',
      on: 'postgres',
      who: AGENTS,
      match: { ddl: true },
      action: 'hold',
      reason: 'an agent changes the schema of a database',
    },
    {
      id: 'destructive.maintenance',
      on: 'postgres',
      who: AGENTS,
      match: { verb: ['VACUUM', 'CLUSTER', 'REINDEX', 'CHECKPOINT', 'REFRESH MATERIALIZED VIEW'] },
      action: 'hold',
      reason: 'maintenance locks or rewrites whole tables',
    },
    {
      id: 'destructive.locks',
      on: 'postgres',
      who: AGENTS,
      match: { verb: ['LOCK', 'PREPARE TRANSACTION', 'COMMIT PREPARED', 'ROLLBACK PREPARED'] },
      action: 'block',
      reason: 'agents take no locks of their own, and leave no transaction behind',
      hint: 'statements lock what they need by themselves',
    },
  ],
}
