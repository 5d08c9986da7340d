import { AGENTS, type Pack } from './pack.ts'

export const enumeration: Pack = {
  name: 'enumeration',
  version: 1,
  about: 'going through a database person by person, or learning its every corner',
  rules: [
    {
      id: 'enumeration.people',
      on: 'postgres',
      who: AGENTS,
      threshold: { distinct: 5000, per: 'session' },
      action: 'hold',
      reason: 'more than 5,000 different masked values in one session of an agent',
      hint: 'ask for the rows you need, or count them',
    },
    {
      id: 'enumeration.catalog-rows',
      on: 'postgres',
      who: AGENTS,
      match: { catalog_access: true },
      threshold: { rows: 20_000, per: 'session' },
      action: 'hold',
      reason: 'more than 20,000 rows of system catalogs in one session of an agent',
    },
    {
      id: 'enumeration.roles',
      on: 'postgres',
      who: AGENTS,
      match: {
        relations: [
          'pg_catalog.pg_authid',
          'pg_catalog.pg_shadow',
          'pg_catalog.pg_user_mapping*',
          'pg_catalog.pg_subscription',
          'pg_catalog.pg_hba_file_rules',
          'pg_catalog.pg_file_settings',
          'pg_catalog.pg_ident_file_mappings',
        ],
      },
      action: 'block',
      reason: "password hashes and how the server lets people in are nobody's to read",
    },
  ],
}
