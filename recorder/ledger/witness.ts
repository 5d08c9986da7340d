import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { base64Bytes } from '../../schemas/bytes.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { HASH_SIZE } from '../../schemas/tape.ts'
import { cosignatureLine, cosignedBytes, type WitnessKey, witnessKeyOf } from '../../schemas/verify/cosignature.ts'
import { type Checkpoint, type NoteKey, parseCheckpoint, signersOf } from '../../schemas/verify/note.ts'
import { isConsistent } from '../../schemas/verify/tree.ts'
import { codeOf, syncFolder } from '../files.ts'
import { FileLock } from '../store/file-lock.ts'
import { sha256 } from '../tape/merkle.ts'
import { nodeTools } from '../tape/tools.ts'

/** By the specification; a tree of 2^62 leaves needs no more. */
const MAX_PROOF_LINES = 63
/** What a request may have beside its checkpoint: the old size and the proof. */
export const MAX_REQUEST_SIZE = 80 << 10

const KEY_FILE = 'witness.key'

/** An HTTP answer, by c2sp.org/tlog-witness. */
export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422
  readonly contentType: string
  readonly body: string
}

export interface WitnessOptions {
  /** Its key and what it has cosigned. Both live here, so that whoever loses the one has lost the other too. */
  readonly folder: string
  /** `audit.example/witness`: stands beside every cosignature. */
  readonly name: string
  /** Logs it follows: their checkpoints' keys. The name of a key is the log's origin. */
  readonly logs: readonly NoteKey[]
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/**
 * A witness of logs (c2sp.org/tlog-witness): cosigns a checkpoint only where the log has signed it and it contains the last one
 * cosigned, and remembers it, on disk, before it answers. It never cosigns two trees of a log of which one does not begin with the other.
 * Several processes may serve one folder.
 */
export class Witness {
  readonly key: WitnessKey
  readonly #options: WitnessOptions
  readonly #privateKey: KeyObject

  private constructor(options: WitnessOptions, privateKey: KeyObject) {
    this.#options = options
    this.#privateKey = privateKey
    this.key = witnessKeyOf(nodeTools, options.name, createPublicKey(privateKey).export({ type: 'spki', format: 'der' }))
  }

  /** Makes folder and key on first use. Rejects CONFIG_INVALID where the key file is none. */
  static async open(options: WitnessOptions): Promise<Witness> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 })
    const path = join(options.folder, KEY_FILE)
    try {
      const { privateKey } = generateKeyPairSync('ed25519')
      const file = await open(path, 'wx', 0o600)
      try {
        await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }))
        await file.sync()
      } finally {
        await file.close()
      }
      await syncFolder(options.folder)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    try {
      const key = createPrivateKey(await readFile(path, 'utf8'))
      if (key.asymmetricKeyType !== 'ed25519') throw new Error(`its type is ${key.asymmetricKeyType}`)
      return new Witness(options, key)
    } catch (cause) {
      throw new ApplianceError('CONFIG_INVALID', `${path} is not the Ed25519 key it should be`, { cause })
    }
  }

  /** Answers the body of one `add-checkpoint`. Rejects only where its own disk fails. */
  async addCheckpoint(body: Uint8Array): Promise<WitnessAnswer> {
    const request = parseRequest(body)
    if (request === undefined)
      return text(400, 'old size, consistency proof, empty line, checkpoint: one of them is not what it should be\n')
    const { old, proof, checkpoint } = request
    const keys = this.#options.logs.filter(({ name }) => name === checkpoint.origin)
    if (keys.length === 0) return text(404, 'this witness does not follow that log\n')
    const signers = await signersOf(nodeTools, checkpoint.note, keys)
    if (signers === false || signers.length === 0) return text(403, 'no key of the log has signed this checkpoint\n')
    if (old > checkpoint.size) return text(400, 'the old size is larger than the checkpoint\n')
    const path = join(this.#options.folder, `${sha256(Buffer.from(checkpoint.origin)).toString('hex')}.checkpoint`)
    const lock = await FileLock.take(path, checkpoint.origin)
    try {
      const last = await lastOf(path)
      const size = last?.size ?? 0
      if (old !== size) return { status: 409, contentType: 'text/x.tlog.size', body: `${size}\n` }
      if (last !== undefined && size === checkpoint.size && !Buffer.from(last.root).equals(Buffer.from(checkpoint.root)))
        return { status: 409, contentType: 'text/x.tlog.size', body: `${size}\n` }
      if (!extend(last, checkpoint, proof)) return text(422, 'the tree does not contain the one cosigned before\n')
      const timeS = Math.floor((this.#options.now ?? Date.now)() / 1000)
      const line = cosignatureLine(this.key, timeS, sign(null, cosignedBytes(timeS, checkpoint.note.text), this.#privateKey))
      await remember(path, Buffer.concat([request.note, Buffer.from(line)]))
      return text(200, line)
    } finally {
      await lock.release()
    }
  }
}

function text(status: WitnessAnswer['status'], body: string): WitnessAnswer {
  return { status, contentType: 'text/plain; charset=utf-8', body }
}

function extend(last: Checkpoint | undefined, checkpoint: Checkpoint, proof: readonly Uint8Array[]): boolean {
  if (last !== undefined) return isConsistent(sha256, last, checkpoint, proof)
  const empty = sha256(new Uint8Array(0))
  return proof.length === 0 && (checkpoint.size > 0 || Buffer.from(checkpoint.root).equals(empty))
}

interface AddCheckpoint {
  readonly old: number
  readonly proof: readonly Uint8Array[]
  readonly checkpoint: Checkpoint
  /** The checkpoint as it came. */
  readonly note: Uint8Array
}

function parseRequest(body: Uint8Array): AddCheckpoint | undefined {
  if (body.length > MAX_REQUEST_SIZE) return undefined
  const end = Buffer.from(body.buffer, body.byteOffset, body.length).indexOf('\n\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = Buffer.from(body.subarray(0, end)).toString('latin1').split('\n')
  const old = /^old (0|[1-9]\d{0,15})$/.exec(first)?.[1]
  const proof = lines.map((line) => base64Bytes(line))
  if (old === undefined || proof.length > MAX_PROOF_LINES) return undefined
  const hashes = proof.filter((hash) => hash?.length === HASH_SIZE)
  if (hashes.length !== proof.length) return undefined
  const note = body.subarray(end + 2)
  try {
    return { old: Number(old), proof: hashes.flatMap((hash) => hash ?? []), checkpoint: parseCheckpoint(note), note }
  } catch (error) {
    if (error instanceof ApplianceError) return undefined
    throw error
  }
}

async function lastOf(path: string): Promise<Checkpoint | undefined> {
  try {
    return parseCheckpoint(await readFile(path))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Whole and on the disk, or as it was. */
async function remember(path: string, note: Uint8Array): Promise<void> {
  const next = `${path}.next`
  const file = await open(next, 'w', 0o600)
  try {
    await file.writeFile(note)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(next, path)
  await syncFolder(join(path, '..'))
}
