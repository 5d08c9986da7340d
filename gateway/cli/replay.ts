import { once } from 'node:events'
import { listSessions, openTape, type Tape, type TapeFrame } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { isReleased, MASK_SPAN_SIZE, type Masks } from '../../schemas/frame.ts'
import { safeJson, safeText } from '../../schemas/safe-text.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import type { Shown, View } from '../../schemas/views/view.ts'
import { type Cli, EXIT } from './context.ts'
import { evidenceOf } from './evidence.ts'
import { noteView } from './note-view.ts'
import { frameLines, type LineOptions, sessionLines } from './replay-lines.ts'

export interface ReplayOptions {
  readonly config?: string
  readonly json?: true
  /** Times the recorded speed; without it, all at once. */
  readonly speed?: number
  /** Only this frame. */
  readonly frame?: number
  /** The very bytes that were released in this direction, to stdout. */
  readonly raw?: 'in' | 'out'
  /** Rows shown per frame. */
  readonly rows?: number
  /** Why, for the ledger. */
  readonly purpose?: string
  readonly keyFile?: string
}

type FrameRange = NonNullable<Parameters<Tape['frames']>[0]>

const DEFAULT_ROWS = 20
/** A session that idled over lunch should not make its viewer do so. */
const MAX_PAUSE_MS = 3_000

const VIEWS: Readonly<Record<ProtocolName, () => Promise<View>>> = {
  egress: async () => new (await import('../../schemas/views/http.ts')).HttpView(),
  http: async () => new (await import('../../schemas/views/http.ts')).HttpView(),
  kubernetes: async () => new (await import('../../schemas/views/kubernetes.ts')).KubernetesView(),
  postgres: async () => new (await import('../../schemas/views/postgres.ts')).PostgresView(),
  ssh: async () => new (await import('../../schemas/views/ssh.ts')).SshView(),
  echo: async () => new (await import('../../schemas/views/echo.ts')).EchoView(),
}

/** Replays a session as text, as JSON lines (one per frame), or as the raw bytes of one direction. Reads; `verify` is what proves. */
export async function replay(session: string, options: ReplayOptions, cli: Cli): Promise<number> {
  const { store, where } = await evidenceOf(options.config, cli)
  const id = await fullId(store, session)
  const tape = await openTape(store, id)
  const damage: ApplianceError[] = []
  const only = options.frame
  if (only !== undefined && only >= tape.frameCount)
    throw new ApplianceError('STORE_MISSING', `there is no frame ${only}: ${id} has ${framesOf(tape)}`)
  const range: FrameRange = { onDamage: (error) => damage.push(error), ...(only === undefined ? {} : { toSeq: only + 1 }) }
  await noteView(where, viewOf(id, options), options, cli)
  if (options.raw !== undefined) await writeRaw(tape, range, options.raw, only)
  else await writeFrames(id, tape, range, options, cli)
  for (const { message } of damage) cli.err(`sallyport: this part of the tape cannot be read: ${safeText(message)}\n`)
  return damage.length === 0 ? EXIT.ok : EXIT.failure
}

/** As the console's replay is noted, with the frames that are shown. */
function viewOf(session: string, { raw, frame, purpose }: ReplayOptions) {
  return {
    type: 'evidence.view' as const,
    what: raw === undefined ? 'replay' : `replay of the bytes ${raw}`,
    session,
    ...(frame === undefined ? {} : { first: frame, last: frame }),
    ...(purpose === undefined ? {} : { purpose }),
  }
}

/** An id, or its beginning or end where that names one session: nobody likes to type ids. */
export async function fullId(store: Parameters<typeof listSessions>[0], part: string): Promise<string> {
  const found: string[] = []
  for await (const { id } of listSessions(store)) {
    if (id === part) return id
    if (part !== '' && (id.startsWith(part) || id.endsWith(part))) found.push(id)
  }
  const [only, ...more] = found
  if (only === undefined)
    throw new ApplianceError('STORE_MISSING', `there is no session ${JSON.stringify(part)}; see sallyport sessions`)
  if (more.length > 0)
    throw new ApplianceError('STORE_MISSING', `${found.length} sessions match ${JSON.stringify(part)}; give more of the id`)
  return only
}

async function writeFrames(id: string, tape: Tape, range: FrameRange, options: ReplayOptions, cli: Cli): Promise<void> {
  const view = await VIEWS[tape.header.session.target.protocol]()
  const lines: LineOptions = {
    maxRows: options.rows ?? DEFAULT_ROWS,
    color: process.stdout.isTTY === true && cli.env['NO_COLOR'] === undefined,
  }
  if (options.json !== true) cli.out(`${sessionLines(tape.header.session, lines).join('\n')}\n\n`)
  let lastUs = 0
  for await (const frame of tape.frames(range)) {
    // The view reads every frame, shown or not: columns and unfinished messages come from those before.
    const shown = view.read(frame)
    if (options.frame !== undefined && frame.seq !== options.frame) continue
    if (options.speed !== undefined) await pause((frame.atUs - lastUs) / 1000 / options.speed)
    lastUs = frame.atUs
    cli.out(
      options.json === true
        ? `${safeJson(jsonOf(frame, shown))}\n`
        : `${frameLines({ frame, shown, recovered: frame.recovered }, lines).join('\n')}\n`,
    )
  }
  if (options.json === true) return
  cli.out(`\n${endOf(tape)}\n`)
  cli.err(`shown, not verified: whether it is what was signed says sallyport verify --session ${safeText(id)}\n`)
}

async function writeRaw(tape: Tape, range: FrameRange, dir: 'in' | 'out', only: number | undefined): Promise<void> {
  for await (const frame of tape.frames(range)) {
    if (frame.dir !== dir || frame.body === null || !isReleased(frame)) continue
    if (only === undefined || frame.seq === only) await writeBytes(frame.body)
  }
}

/** To stdout as they are; the pipe's reader sets the pace. */
async function writeBytes(bytes: Uint8Array): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain')
}

function framesOf({ frameCount }: Tape): string {
  return frameCount === 0 ? 'none' : frameCount === 1 ? 'frame 0 alone' : `frames 0 to ${frameCount - 1}`
}

/** How the tape ends, in words: an end that is missing must be seen. */
function endOf({ state, summary, recovery, frameCount }: Tape): string {
  switch (state) {
    case 'sealed':
      return `end of the tape: ${frameCount} frames, sealed: ${safeText(summary?.reason ?? '')}`
    case 'recovered':
      return `TRUNCATED: the recording process died; ${recovery?.recovered ?? 0} of ${frameCount} frames were recovered (${recovery?.discardedBytes ?? 0} bytes of an unfinished frame discarded), nothing after them is known`
    case 'open':
      return `OPEN: ${frameCount} frames so far; the session still runs, or its process died and the next start will recover it`
    default:
      return state satisfies never
  }
}

function jsonOf(frame: TapeFrame, shown: readonly Shown[]) {
  const { body, masks, ...rest } = frame
  return {
    ...rest,
    released: isReleased(frame),
    body: body === null ? null : Buffer.from(body).toString('base64'),
    masks: masks === null ? [] : spansOf(masks),
    shown,
  }
}

/** Mask spans as objects; see schemas/frame.ts for their bytes. */
function spansOf({ labels, spans }: Masks) {
  const view = new DataView(spans.buffer, spans.byteOffset, spans.byteLength)
  return Array.from({ length: Math.floor(spans.length / MASK_SPAN_SIZE) }, (_, index) => {
    const at = index * MASK_SPAN_SIZE
    const lengthAndLabel = view.getUint32(at + 4)
    const [entity, rule] = labels[lengthAndLabel & 0xff] ?? ['masked', '']
    return { start: view.getUint32(at), length: lengthAndLabel >>> 8, entity, rule }
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(ms, 0), MAX_PAUSE_MS)))
}
