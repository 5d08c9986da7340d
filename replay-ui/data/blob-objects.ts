import type { TapeObject, TapeObjects } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { ObjectApi } from './tape-source.ts'

/** One object of a tape that somebody has at hand: a file, or the part of an archive. Handed to workers as it is. */
export interface BlobObject {
  readonly name: string
  readonly blob: Blob
}

const KINDS = [
  ['segment', /^\d{4}\.tape$/],
  ['index', /^\d{4}\.idx$/],
  ['recovered', /^recovered-0000\.tape$/],
  ['salt', /^salt$/],
] as const

/** A tape's objects without a server: what the API answers, from files. */
export class BlobObjects implements ObjectApi {
  readonly #blobs: readonly BlobObject[]

  constructor(blobs: readonly BlobObject[]) {
    this.#blobs = blobs
  }

  async objects(id: string): Promise<TapeObjects> {
    const objects = this.#blobs.flatMap(({ name, blob }): TapeObject[] => {
      const kind = KINDS.find(([, pattern]) => pattern.test(name))?.[0]
      if (kind === undefined) return []
      const segment = kind === 'segment' || kind === 'index' ? { segment: Number(name.slice(0, 4)) } : {}
      return [{ name, kind, size: blob.size, final: true, ...segment }]
    })
    return { session: id, state: 'sealed', objects }
  }

  async object(_id: string, name: string, range?: { readonly from: number; readonly to: number }): Promise<Uint8Array> {
    const found = this.#blobs.find((one) => one.name === name)
    if (found === undefined) throw new ApplianceError('STORE_MISSING', `the tape has no object ${name}`)
    const part = range === undefined ? found.blob : found.blob.slice(range.from, range.to)
    return new Uint8Array(await part.arrayBuffer())
  }
}
