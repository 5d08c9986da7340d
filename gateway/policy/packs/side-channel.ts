import { AGENTS, type Pack } from './pack.ts'

export const sideChannel: Pack = {
  name: 'side-channel',
  version: 1,
  about: 'copies of the data, and signals, beside the answers',
  rules: [
    {
      id: 'side-channel.statistics',
      on: 'postgres',
      who: AGENTS,
      match: {
        relations: [
          'pg_catalog.pg_stats',
          'pg_catalog.pg_stats_ext*',
          'pg_catalog.pg_statistic',
          'pg_catalog.pg_statistic_ext_data',
          'pg_catalog.pg_stat_activity',
          '*.pg_stat_statements*',
          'pg_catalog.pg_largeobject',
          'pg_catalog.pg_prepared_xacts',
          'pg_catalog.pg_replication_slots',
        ],
      },
      action: 'block',
      reason: 'statistics and server internals hold copies of the data, unmasked',
    },
    {
      id: 'side-channel.statistics-functions',
      on: 'postgres',
      who: AGENTS,
      match: { function_categories: 'statistics' },
      action: 'block',
      reason: 'statistics hold copies of the data, unmasked',
    },
    {
      id: 'side-channel.notify',
      on: 'postgres',
      who: AGENTS,
      match: { verb: ['LISTEN', 'NOTIFY'] },
      action: 'block',
      reason: 'agents do not talk to other sessions',
    },
    {
      id: 'side-channel.notify-functions',
      on: 'postgres',
      who: AGENTS,
      match: { function_categories: 'notify' },
      action: 'block',
      reason: 'agents do not talk to other sessions',
    },
    {
      id: 'side-channel.waiting',
      on: 'postgres',
      who: AGENTS,
      match: { function_categories: ['lock', 'sleep'] },
      action: 'block',
      reason: 'agents neither take advisory locks nor sleep on a connection',
    },
  ],
}
