import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'

// Compressed, since they look like anything, secrets among it: one file of found inputs for each decoder, and one for each that was wrong once.

const FOLDER = fileURLToPath(new URL('./corpus/', import.meta.url))
/** Of one decoder; small ones first, which are the quickest to change. */
const MAX_KEPT = 200
const MAX_KEPT_SIZE = 2 << 10

export function corpusOf(name: string): readonly Uint8Array[] {
  const path = join(FOLDER, `${name}.gz`)
  if (!existsSync(path)) return []
  const texts: readonly string[] = JSON.parse(gunzipSync(readFileSync(path)).toString('utf8'))
  return texts.map((each) => Buffer.from(each, 'base64'))
}

/** Adds what was found to what is kept; the same inputs make the same file. */
export function keepInCorpus(name: string, found: readonly Uint8Array[]): number {
  const small = [...corpusOf(name), ...found].filter(({ length }) => length <= MAX_KEPT_SIZE)
  const texts = [...new Set(small.sort((a, b) => a.length - b.length).map((each) => Buffer.from(each).toString('base64')))]
  const kept = texts.slice(0, MAX_KEPT)
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(join(FOLDER, `${name}.gz`), gzipSync(JSON.stringify(kept), { level: 9 }))
  return kept.length
}

/** Where an input that was read wrongly is kept: `--input` feeds it again. */
export function keepCrash(name: string, input: Uint8Array): string {
  mkdirSync(FOLDER, { recursive: true })
  const path = join(FOLDER, `${name}.${createHash('sha256').update(input).digest('hex').slice(0, 12)}.crash.gz`)
  writeFileSync(path, gzipSync(input, { level: 9 }))
  return path
}

/** Inputs that were read wrongly once, by decoder. */
export function pastCrashes(): readonly { readonly name: string; readonly input: Uint8Array }[] {
  if (!existsSync(FOLDER)) return []
  return readdirSync(FOLDER).flatMap((file) => {
    const name = /^([a-z-]+)\.[0-9a-f]{12}\.crash\.gz$/.exec(file)?.[1]
    return name === undefined ? [] : [{ name, input: gunzipSync(readFileSync(join(FOLDER, file))) }]
  })
}
