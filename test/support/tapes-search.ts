import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { framesOf, sessionsOf } from './tapes.ts'

interface Text {
  readonly where: string
  readonly bytes: Buffer
}

/** Where a word stands, in whichever form somebody might have written it down. */
export interface Finding {
  readonly where: string
  readonly form: string
}

/** Everything a gateway wrote: raw files, what is compressed inside them, decoded frames and headers, and its log. */
export async function writings(dataDir: string, log: string): Promise<Text[]> {
  const texts: Text[] = [{ where: 'log', bytes: Buffer.from(log) }]
  for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = await readFile(path)
    texts.push({ where: `name of ${path}`, bytes: Buffer.from(path) }, { where: path, bytes: used(bytes) })
    for (const inner of await unpacked(bytes)) texts.push({ where: `${path}, decompressed`, bytes: inner })
  }
  for (const { id, header } of await sessionsOf(dataDir)) {
    texts.push({ where: `${id} header`, bytes: Buffer.from(JSON.stringify(header)) })
    for (const { seq, body, masks, ...rest } of await framesOf(dataDir, id)) {
      texts.push({ where: `${id} frame ${seq}`, bytes: Buffer.from(JSON.stringify(rest)) })
      if (body !== null) texts.push({ where: `${id} frame ${seq} body`, bytes: Buffer.from(body) })
      if (masks !== null) texts.push({ where: `${id} frame ${seq} masks`, bytes: Buffer.from(masks.spans) })
    }
  }
  return texts
}

/** Every place where one of these words stands, as it is or encoded. */
export function search(texts: readonly Text[], word: string): Finding[] {
  const found: Finding[] = []
  for (const [form, needle] of formsOf(word)) {
    for (const { where, bytes } of texts) if (bytes.includes(needle)) found.push({ where, form })
  }
  return found
}

function formsOf(word: string): [string, Buffer][] {
  const bytes = Buffer.from(word)
  const hex = bytes.toString('hex')
  const percent = hex.replaceAll(/../g, (pair) => `%${pair}`)
  const escaped = [...word].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
  const json = JSON.stringify(word).slice(1, -1)
  const forms: [string, string | Buffer][] = [
    ['raw', bytes],
    ['hex', hex],
    ['HEX', hex.toUpperCase()],
    ['URL', encodeURIComponent(word)],
    ['URL, every byte', percent],
    ['UTF-16 LE', Buffer.from(word, 'utf16le')],
    ['UTF-16 BE', Buffer.from(word, 'utf16le').swap16()],
    ['JSON', json],
    ['JSON, twice', JSON.stringify(json).slice(1, -1)],
    ['JSON, every letter', escaped],
    ['upper case', word.toUpperCase()],
    ['reversed', [...word].reverse().join('')],
  ]
  // Inside a longer base64 text the word may begin at any of three places; its first and last letters depend on the neighbours.
  for (const shift of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replaceAll('=', '')
    const core = text.slice(shift === 0 ? 0 : shift + 1, -1)
    forms.push([`base64 +${shift}`, core], [`base64url +${shift}`, core.replaceAll('+', '-').replaceAll('/', '_')])
  }
  return forms.map(([form, text]) => [form, Buffer.from(text as string)])
}

/** Spool files are zeroed in advance; only what was written is worth searching. */
function used(bytes: Buffer): Buffer {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return bytes.subarray(0, end)
}

const MAGICS = [
  [Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), createZstdDecompress],
  [Buffer.from([0x1f, 0x8b, 0x08]), createGunzip],
] as const

/** Whatever in the bytes begins like zstd or gzip and can be decompressed, without trusting our own reader to find it. */
async function unpacked(bytes: Buffer): Promise<Buffer[]> {
  const found: Buffer[] = []
  for (const [magic, decompressor] of MAGICS) {
    for (let at = bytes.indexOf(magic); at !== -1; at = bytes.indexOf(magic, at + 1)) {
      const parts: Buffer[] = []
      await new Promise<void>((resolve) => {
        const stream = decompressor()
        stream.on('data', (part: Buffer) => parts.push(part))
        // What follows the compressed bytes is not compressed: the end is an error, and what came before it counts.
        stream.on('error', () => resolve())
        stream.on('end', () => resolve())
        stream.end(bytes.subarray(at))
      })
      if (parts.length > 0) found.push(Buffer.concat(parts))
    }
  }
  return found
}
