import { AGENTS, type Pack } from './pack.ts'

export const bulkRead: Pack = {
  name: 'bulk-read',
  version: 2,
  about: 'more than somebody can look at',
  rules: [
    {
      id: 'bulk-read.rows',
      on: 'postgres',
      who: AGENTS,
      threshold: { rows: 50_000, per: 'statement' },
      action: 'block',
      reason: 'more than 50,000 rows for one statement of an agent',
      hint: 'aggregate, filter, or add a LIMIT',
    },
    {
      id: 'bulk-read.bytes',
      on: 'postgres',
      who: AGENTS,
      threshold: { bytes: '16MiB', per: 'statement' },
      action: 'block',
      reason: 'more than 16 MiB for one statement of an agent',
      hint: 'name the columns you need',
    },
    {
      id: 'bulk-read.session-rows',
      on: 'postgres',
      who: AGENTS,
      threshold: { rows: 250_000, per: 'session' },
      action: 'hold',
      reason: 'more than 250,000 rows in one session of an agent',
    },
    {
      id: 'bulk-read.identity-rows',
      on: 'postgres',
      who: AGENTS,
      threshold: { rows: 500_000, per: 'identity', window: '1h' },
      action: 'hold',
      reason: 'more than 500,000 rows in an hour, over all sessions of this agent',
    },
    // To read code is what many agents are for: a note on the tape, until somebody says that here it is not.
    {
      id: 'bulk-read.code',
      who: AGENTS,
      mode: 'shadow',
      threshold: { code: '256KiB', per: 'session' },
      action: 'hold',
      reason: 'more than 256 KiB of source code or configuration files in one session of an agent',
    },
  ],
}
