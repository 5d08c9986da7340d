import type { ShellPack } from './pack.ts'

export const dbDump: ShellPack = {
  version: 2,
  about: 'copying a whole database',
  rules: [
    {
      id: 'db-dump.programs',
      match: {
        program:
          'pg_dump pg_dumpall pg_basebackup mysqldump mariadb-dump mydumper mongodump mongoexport sqlcmd bcp sqlpackage exp expdp redis-dump cqlsh influxd etcdctl'.split(
            ' ',
          ),
      },
      action: 'hold',
      reason: 'this copies a database',
      hint: 'ask the database itself, through the gateway: its rows are masked and recorded',
    },
    {
      id: 'db-dump.commands',
      match: {
        command: [
          'redis-cli*--rdb*',
          'redis-cli*save*',
          'redis-cli*SAVE*',
          'redis-cli*keys*',
          'psql*copy *',
          'psql*COPY *',
          'sqlite3*.dump*',
          'mysql*outfile*',
          'mysql*OUTFILE*',
        ],
      },
      action: 'hold',
      reason: 'this copies a database',
    },
  ],
}
