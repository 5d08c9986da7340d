import type { SessionDetail, StatementPage, StatementRow, TapeObjects, Trust } from '../../schemas/api.ts'
import { BUNDLE_PATHS } from '../../schemas/bundle.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { ZipSource } from '../../schemas/verify/zip.ts'
import { ApiError } from '../data/api.ts'
import { type BlobObject, BlobObjects } from '../data/blob-objects.ts'
import type { ReplayApi } from '../pages/replay-setting.ts'

/** What the bundle says of a recording, beside the recording. */
interface Described {
  readonly session: SessionDetail
  readonly statements: readonly StatementRow[]
}

/** The files of a bundle by their paths in it. */
interface BundleFiles extends Pick<ReadonlyMap<string, Blob>, 'has' | 'keys'> {
  get(path: string): Promise<Blob | undefined>
}

/** An audit bundle that somebody opened: its folder, or its archive, which is read where it lies. */
export class OfflineBundle implements ReplayApi {
  readonly #files: BundleFiles
  /** Whose recordings are here, in the order they were drawn. */
  readonly sessions: readonly string[]
  readonly #keys: string

  private constructor(files: BundleFiles, sessions: readonly string[], keys: string) {
    this.#files = files
    this.sessions = sessions
    this.#keys = keys
  }

  /** `files` by their paths in the bundle. `keys`: a gateway.pub that did not come with it; '' for the one that did. */
  static async open(files: BundleFiles, keys: string): Promise<OfflineBundle> {
    const selection = await files.get(BUNDLE_PATHS.sample)
    if (selection === undefined || !files.has(BUNDLE_PATHS.manifest))
      throw new ApplianceError('STORE_MISSING', 'this is no audit bundle: choose its folder, or its .zip')
    const { chosen }: { readonly chosen: readonly string[] } = JSON.parse(await selection.text())
    const here = chosen.filter((id) => files.has(`sample/${id}/session.json`))
    return new OfflineBundle(
      files,
      here,
      keys.trim() === '' ? ((await (await files.get(BUNDLE_PATHS.keys))?.text()) ?? '') : keys,
    )
  }

  async blobsOf(id: string): Promise<readonly BlobObject[]> {
    const prefix = `tapes/${id}/`
    const paths = [...this.#files.keys()].filter((path) => path.startsWith(prefix))
    const blobs = await Promise.all(paths.map((path) => this.#files.get(path)))
    return blobs.flatMap((blob, at) => (blob === undefined ? [] : [{ name: paths[at]?.slice(prefix.length) ?? '', blob }]))
  }

  async session(id: string): Promise<SessionDetail> {
    return (await this.#described(id)).session
  }

  async statements(id: string): Promise<StatementPage> {
    const { statements } = await this.#described(id)
    return { statements: [...statements], next: null, lag: { state: 'following', sessions: 0, behindMs: 0 } }
  }

  async trust(): Promise<Trust> {
    const keys = this.#keys.split('\n').flatMap((line) => {
      const [gateway, spki] = line.trim().split(/\s+/)
      return gateway === undefined || spki === undefined ? [] : [{ gateway, algorithm: '', keyId: '', spki }]
    })
    return { keys }
  }

  async objects(id: string): Promise<TapeObjects> {
    return new BlobObjects(await this.blobsOf(id)).objects(id)
  }

  /** Nothing goes on in a bundle. */
  events(): void {}

  async kill(): Promise<never> {
    throw new ApiError('API_FORBIDDEN', 0, 'A recording in a bundle has ended.')
  }

  async #described(id: string): Promise<Described> {
    const file = await this.#files.get(`sample/${id}/session.json`)
    if (file === undefined) throw new ApiError('API_UNKNOWN', 404, 'The bundle has no such recording.')
    return JSON.parse(await file.text()) as Described // written by the bundle's maker; shown as text, whatever is in it
  }
}

/** The files of a folder that was chosen, by their paths within it; of an archive, where it is one. */
export async function bundleFilesOf(chosen: readonly File[]): Promise<BundleFiles> {
  const [first] = chosen
  if (first !== undefined && chosen.length === 1 && first.webkitRelativePath === '') {
    const read = async (from: number, to: number): Promise<Uint8Array> =>
      new Uint8Array(await first.slice(from, to).arrayBuffer())
    const zip = await ZipSource.open({ size: first.size, read })
    const names = new Set(zip.names())
    // Cut out when it is asked for: a blob for each of a hundred thousand files takes a browser minutes.
    const get = async (name: string): Promise<Blob | undefined> => {
      if (!names.has(name)) return undefined
      const { from, size } = await zip.place(name)
      return first.slice(from, from + size)
    }
    return { has: (name) => names.has(name), keys: () => names.keys(), get }
  }
  const files = new Map(chosen.map((file) => [file.webkitRelativePath.split('/').slice(1).join('/'), file]))
  return { has: (path) => files.has(path), keys: () => files.keys(), get: async (path) => files.get(path) }
}
