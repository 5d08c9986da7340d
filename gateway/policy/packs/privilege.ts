import { AGENTS, type Pack } from './pack.ts'

export const privilege: Pack = {
  name: 'privilege',
  version: 1,
  about: 'becoming somebody else, or changing what protects the data',
  rules: [
    {
      id: 'privilege.role-change',
      on: 'postgres',
      match: { role_change: true },
      action: 'block',
      reason: 'a session stays who it is',
    },
    {
      id: 'privilege.parser-change',
      on: 'postgres',
      match: { parser_change: true },
      action: 'block',
      reason: 'this setting changes how the server reads statements',
    },
    {
      id: 'privilege.safety-settings',
      on: 'postgres',
      who: AGENTS,
      match: {
        sets: [
          'row_security',
          'session_replication_role',
          '*_preload_libraries',
          'dynamic_library_path',
          'default_transaction_read_only',
          'transaction_read_only',
        ],
      },
      action: 'block',
      reason: 'agents do not change settings that protect the data',
    },
    {
      id: 'privilege.grants',
      on: 'postgres',
      match: {
        verb: [
          'GRANT',
          'REVOKE',
          'CREATE ROLE',
          'ALTER ROLE',
          'DROP ROLE',
          'ALTER DEFAULT PRIVILEGES',
          'ALTER OWNER',
          'REASSIGN OWNED',
          'DROP OWNED',
          'ALTER POLICY',
          'CREATE POLICY',
          'DROP POLICY',
        ],
      },
      action: 'hold',
      reason: 'privileges change with an approval',
    },
    {
      id: 'privilege.admin',
      on: 'postgres',
      who: AGENTS,
      match: { function_categories: 'admin' },
      action: 'block',
      reason: 'agents do not administer the server',
    },
  ],
}
