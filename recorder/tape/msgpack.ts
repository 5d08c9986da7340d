import { Packr } from 'msgpackr'

// Plain MessagePack only: no record extension (it changes the meaning of small integers), no `undefined` extension.
const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true, copyBuffers: true })

/** Packs what is written once per chunk, segment or session; frames have their own encoder. */
export function pack(value: unknown): Uint8Array {
  // msgpackr hands out a slice of a buffer it may write to again.
  return Uint8Array.from(packr.pack(value))
}
