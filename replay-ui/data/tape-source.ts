import type { TapeObject, TapeObjects } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { ObjectSource } from '../../schemas/verify/tools.ts'

/** What of the API this needs. */
export interface ObjectApi {
  objects(id: string, signal?: AbortSignal): Promise<TapeObjects>
  object(
    id: string,
    name: string,
    range?: { readonly from: number; readonly to: number },
    signal?: AbortSignal,
  ): Promise<Uint8Array>
}

/** The stored objects of one session as a store has them, under `tapes/<id>/<name>`, by range requests. Sees the sizes last told. */
export class TapeSource implements ObjectSource {
  readonly windowSize: number
  readonly #api: ObjectApi
  readonly #id: string
  #objects = new Map<string, TapeObject>()

  constructor(api: ObjectApi, id: string, windowSize: number) {
    this.#api = api
    this.#id = id
    this.windowSize = windowSize
  }

  tell(objects: readonly TapeObject[]): void {
    for (const object of objects) this.#objects.set(`tapes/${this.#id}/${object.name}`, object)
  }

  get(key: string, range?: { readonly from: number; readonly to: number }, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#api.object(this.#id, this.#object(key).name, range, signal)
  }

  async *list(prefix: string): AsyncGenerator<string> {
    for (const key of [...this.#objects.keys()].sort()) if (key.startsWith(prefix)) yield key
  }

  async size(key: string): Promise<number> {
    return this.#object(key).size
  }

  #object(key: string): TapeObject {
    const object = this.#objects.get(key)
    if (object === undefined) throw new ApplianceError('STORE_MISSING', `the tape has no object ${key}`)
    return object
  }
}
