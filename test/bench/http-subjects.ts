import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ended, freePort, listening } from './support-process.ts'

/** One way to the same service. */
export interface HttpSubject extends AsyncDisposable {
  readonly name: string
  readonly origin: string
  /** In front of every path. */
  readonly prefix: string
  readonly headers: Readonly<Record<string, string>>
  readonly pid: number | undefined
  /** That serve: each compiles what runs in it. */
  readonly processes: number
}

/** Files of JSON, as fast as anything serves them. */
export async function nginxFiles(files: Readonly<Record<string, string>>): Promise<HttpSubject> {
  const folder = await mkdtemp(join(tmpdir(), 'nginx-files-'))
  await chmod(folder, 0o755)
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return nginx('direct', folder, `root ${folder}; default_type application/json;`)
}

/** What people put in front of services. */
export async function nginxProxy(upstream: HttpSubject): Promise<HttpSubject> {
  const folder = await mkdtemp(join(tmpdir(), 'nginx-proxy-'))
  await chmod(folder, 0o755)
  return nginx(
    'nginx',
    folder,
    'location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; access_log ' +
      `${folder}/access.log; }`,
    `upstream up { server ${upstream.origin.slice('http://'.length)}; keepalive 64; }`,
  )
}

async function nginx(name: string, folder: string, server: string, more = ''): Promise<HttpSubject> {
  const port = await freePort()
  const config = `worker_processes 1; daemon off; master_process off; pid ${folder}/pid; error_log stderr error;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s; ${more}
server { listen 127.0.0.1:${port}; ${server} } }
`
  await writeFile(join(folder, 'nginx.conf'), config)
  const child = spawn('nginx', ['-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'inherit'] })
  await listening(port, child, folder)
  return {
    name,
    origin: `http://127.0.0.1:${port}`,
    prefix: '',
    headers: {},
    pid: child.pid,
    processes: 1,
    [Symbol.asyncDispose]: () => ended(child, folder),
  }
}

/** The gateway as a person would run it: recording, a rule, labels and all detectors on. */
export async function httpSallyport(upstream: HttpSubject, name: string, processes: number): Promise<HttpSubject> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'))
  const port = await freePort()
  const key = `sp_${randomBytes(32).toString('base64url')}`
  await mkdir(join(folder, 'data'))
  await writeFile(
    join(folder, 'policy.yaml'),
    'version: 1\nlabels: { pii.ssn: { names: ["*ssn*"], entity: us-ssn } }\nrules: [{ id: no-deletes, on: http, match: { method: DELETE }, action: block }]\n',
  )
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `\
gateway: bench
dataDir: data
policy: policy.yaml
listeners:
  http: { address: "127.0.0.1:${port}", tls: { mode: optional } }
targets:
  - name: files
    protocol: http
    host: 127.0.0.1
    port: ${new URL(upstream.origin).port}
    groups: [agents]
    tls: { mode: "off" }
    credential: {}
identities:
  - subject: bench-agent
    kind: agent
    groups: [agents]
    keys: [{ id: bench, sha256: ${createHash('sha256').update(key).digest('hex')} }]
`,
  )
  const main = new URL('../../gateway/main.ts', import.meta.url).pathname
  const child = spawn(
    process.execPath,
    [main, 'serve', '--workers', String(processes), '--config', join(folder, 'sallyport.yaml')],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, SALLYPORT_LOG: 'error' },
    },
  )
  await listening(port, child, folder)
  return {
    name,
    origin: `http://127.0.0.1:${port}`,
    prefix: '/t/files',
    headers: { authorization: `Bearer ${key}` },
    pid: child.pid,
    processes,
    [Symbol.asyncDispose]: () => ended(child, folder),
  }
}
