import { BUNDLE_MARKS } from '../../schemas/bundle.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { EXCERPT_HEAD_SIZE, isExcerptFile } from '../../schemas/excerpt.ts'
import { parseGatewayKeys } from '../../schemas/gateway-keys.ts'
import { safeJson, safeText } from '../../schemas/safe-text.ts'
import { VERIFY_EXITS, type Verification, worstVerdict } from '../../schemas/verification.ts'
import { bundleLines } from '../../schemas/verify/bundle-lines.ts'
import { verificationLines } from '../../schemas/verify/lines.ts'
import { filesInArchive, isArchive, verifyBundleFiles } from './bundle.ts'
import { type FolderOptions, type PickedFile, verifyExcerptFile, verifyFolder } from './folder.ts'
import { excerptAt, filesUnder, folderAt, isAnyThere, isFileAt, type NodeProcess, pickedAt, readText } from './folder-node.ts'

const USAGE = `node sallyport-verify.mjs [--trust gateway.pub] [--at TIME] [--json] PATH...

PATH is a data folder, its tapes, one session's folder or one of its files, an excerpt, or an audit bundle, packed or unpacked; - reads paths from the standard input, one a line.
--at: when a copy was made, ISO 8601 (default: now); it decides who is silent. The exit code is the verdict's, the worst one's of several: 0 VALID, 10 VALID-INCOMPLETE, 20 INVALID, 30 UNVERIFIABLE,
40 UNTRUSTED, 50 DELETED-BY-POLICY; 1: there was nothing to verify; 2: wrong usage.
`
const TOLD_EVERY_MS = 1000

/** The verifier as a command, for any Node from 20.16 on. */
export async function command(process: NodeProcess): Promise<void> {
  const args = [...process.argv.slice(2)]
  const json = take(args, '--json')
  const trust = option(args, '--trust')
  const at = option(args, '--at')
  const nowMs = at === undefined ? undefined : Date.parse(at)
  if (args.length === 0 || args.some((arg) => arg.startsWith('-') && arg !== '-') || trust === '' || Number.isNaN(nowMs)) {
    process.stderr.write(USAGE)
    process.exitCode = 2
    return
  }
  let keys: ReturnType<typeof parseGatewayKeys> | undefined
  try {
    if (trust !== undefined) keys = parseGatewayKeys(await readText(process, trust), trust)
  } catch (error) {
    process.stderr.write(`${safeText(error instanceof Error ? error.message : String(error))}\n`)
    process.exitCode = 2
    return
  }
  const paths = args.includes('-') ? (await textOf(process.stdin)).split('\n').filter((line) => line !== '') : args
  const progress = progressOn(process)
  const verdicts: Verification['verdict'][] = []
  let failed = false
  for (const path of paths) {
    try {
      const bundle = await bundleAt(process, path)
      if (bundle !== undefined) {
        const told = await verifyBundleFiles(bundle, keys, (bytes) => progress(bytes, 0, 1))
        verdicts.push(told.verdict)
        process.stdout.write(json ? `${safeJson({ ...told, path })}\n` : `${bundleLines(path, told).join('\n')}\n`)
        continue
      }
      const result = await verifyOne(process, path, { keys, nowMs, onRead: progress })
      verdicts.push(result.verdict)
      process.stdout.write(json ? `${safeJson(result)}\n` : `${verificationLines(result).join('\n')}\n`)
    } catch (error) {
      // What the system refuses of one path says nothing of the others.
      if (!(error instanceof ApplianceError) && !(error instanceof Error && 'syscall' in error)) throw error
      failed = true
      process.stdout.write(json ? `${safeJson({ path, error: error.message })}\n` : `${safeText(error.message)}\n`)
    }
  }
  process.exitCode = failed ? 1 : VERIFY_EXITS[worstVerdict(verdicts)]
}

/** The files of an audit bundle, packed or unpacked; undefined where the path is something else. */
async function bundleAt(process: NodeProcess, path: string): Promise<ReadonlyMap<string, PickedFile> | undefined> {
  const file = pickedAt(process, path)
  const isFile = await isFileAt(process, path)
  if (isFile) return (await isArchive(path, file).catch(() => false)) ? filesInArchive(file) : undefined
  // Looked for before anything else: a bundle has `tapes` as a data folder has, and is none.
  const marks = BUNDLE_MARKS.map((mark) => `${path}/${mark}`)
  return (await isAnyThere(process, marks)) ? filesUnder(process, path) : undefined
}

async function verifyOne(process: NodeProcess, path: string, options: FolderOptions): Promise<Verification> {
  const file = pickedAt(process, path)
  // A pipe has no size, and would be waited for.
  const size = await file.size().catch(() => 0)
  const head = size === 0 ? new Uint8Array(0) : await file.read(0, EXCERPT_HEAD_SIZE).catch(() => new Uint8Array(0))
  if (isExcerptFile(path, head)) {
    const { name, file: excerpt, beside } = await excerptAt(process, path)
    return verifyExcerptFile(path, name, excerpt, options.keys, beside)
  }
  return verifyFolder(path, await folderAt(process, path), options)
}

/** A line on stderr, now and then, for whoever waits at a terminal. */
function progressOn({ stderr }: NodeProcess): (bytes: number, tape: number, tapes: number) => void {
  let [read, toldAt] = [0, performance.now()]
  return (bytes, tape, tapes) => {
    read += bytes
    if (stderr.isTTY !== true || performance.now() - toldAt < TOLD_EVERY_MS) return
    toldAt = performance.now()
    stderr.write(`\rtape ${tape + 1} of ${tapes}, ${Math.round(read / 1e6)} MB read `)
  }
}

function take(args: string[], name: string): boolean {
  const at = args.indexOf(name)
  if (at >= 0) args.splice(at, 1)
  return at >= 0
}

function option(args: string[], name: string): string | undefined {
  const at = args.indexOf(name)
  return at < 0 ? undefined : (args.splice(at, 2)[1] ?? '')
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of stream) text += decoder.decode(chunk, { stream: true })
  return text
}
