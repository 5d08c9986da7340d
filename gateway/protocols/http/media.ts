import { isBinary } from './binary.ts'
import { type Headers, headerOf } from './head.ts'

/**
 * How a body is read. `json`, `form`: by their values. `events`: line by line as it comes (server-sent events, NDJSON).
 * `text`: as one text. `multipart`: each part as what it says it is. `live`: as one that somebody reads while it is written; no type says so. `opaque`: compressed or pictures, in which no detector could see anything, where it begins like them. `unknown`:
 * as text, where it is no such: a mask would break it there, and what looks like a value is chance.
 */
export type Media = 'json' | 'form' | 'multipart' | 'events' | 'text' | 'live' | 'opaque' | 'unknown'

const OPAQUE =
  /^(image\/(?!svg)|audio\/|video\/|font\/|application\/(zip|gzip|x-gzip|x-bzip2?|x-xz|zstd|x-7z-compressed|pdf|wasm|java-archive|vnd\.rar|x-tar\+gzip)$)/

const TEXT = /^text\/|[/+](xml|html|yaml|x-yaml|javascript|ecmascript|graphql|sql|csv|toml|x-sh|x-httpd-php)$|^message\//

/** The type is the peer's own word, and a wrong one must hide nothing that can be seen without it. */
export function mediaOf(headers: Headers): Media {
  return mediaOfType(typeOf(headers))
}

/** `type`: as `typeOf` gives it. */
export function mediaOfType(type: string): Media {
  if (type === 'text/event-stream' || /^application\/(x-)?(ndjson|jsonl|json-?lines|json-seq)$/.test(type)) return 'events'
  if (/[/+.-]json$/.test(type)) return 'json'
  if (type === 'application/x-www-form-urlencoded') return 'form'
  if (type.startsWith('multipart/')) return 'multipart'
  if (TEXT.test(type)) return 'text'
  return OPAQUE.test(type) ? 'opaque' : 'unknown'
}

/** The media type without its parameters, in lower case; empty where there is none. */
export function typeOf(headers: Headers): string {
  return bareType(membersOf(headerOf(headers, CONTENT_TYPE) ?? '')[0] ?? '')
}

function bareType(value: string): string {
  return value.split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/**
 * Whether a head says more than one type, of which it has one (RFC 9110, 8.3), and a body would be read otherwise by the one than by the other. Some readers
 * of a repeated header, or of a list in it, take the first, and others the last.
 */
export function isAmbiguous(headers: Headers): boolean {
  const values: string[] = []
  for (const [name, value] of headers)
    if (name.length === CONTENT_TYPE.length && name.toLowerCase() === CONTENT_TYPE) values.push(value)
  // Nearly always there is one, or none.
  if (values.length < 2 && values[0]?.includes(',') !== true) return false
  const readings = new Set<string>()
  for (const value of values) {
    for (const type of membersOf(value)) {
      const media = mediaOfType(bareType(type))
      // By what stands between the parts, too.
      readings.add(media === 'multipart' ? type : media)
    }
  }
  return readings.size > 1
}

const CONTENT_TYPE = 'content-type'

/** Of a list (RFC 9110, 5.6.1), without those that are empty; a comma between quotes is part of one. */
function membersOf(value: string): readonly string[] {
  if (!value.includes(',')) return [value.trim()]
  const members: string[] = []
  let quoted = false
  let from = 0
  for (let at = 0; at < value.length; at++) {
    const character = value[at]
    if (character === '"') quoted = !quoted
    else if (character === '\\' && quoted) at++
    else if (character === ',' && !quoted) {
      members.push(value.slice(from, at).trim())
      from = at + 1
    }
  }
  members.push(value.slice(from).trim())
  return members.filter((member) => member !== '')
}

/** Bytes an opaque type must begin with to be believed. */
const MAGIC: readonly (readonly number[])[] = [
  [0x89, 0x50, 0x4e, 0x47], // PNG
  [0xff, 0xd8, 0xff], // JPEG
  [0x47, 0x49, 0x46, 0x38], // GIF
  [0x42, 0x4d], // BMP
  [0x49, 0x49, 0x2a, 0x00], // TIFF
  [0x4d, 0x4d, 0x00, 0x2a], // TIFF
  [0x50, 0x4b, 0x03, 0x04], // zip, jar
  [0x50, 0x4b, 0x05, 0x06], // empty zip
  [0x1f, 0x8b], // gzip
  [0x42, 0x5a, 0x68], // bzip2
  [0xfd, 0x37, 0x7a, 0x58], // xz
  [0x28, 0xb5, 0x2f, 0xfd], // zstd
  [0x37, 0x7a, 0xbc, 0xaf], // 7z
  [0x25, 0x50, 0x44, 0x46], // PDF
  [0x00, 0x61, 0x73, 0x6d], // WebAssembly
  [0x52, 0x49, 0x46, 0x46], // RIFF: WebP, WAV, AVI
  [0x77, 0x4f, 0x46], // WOFF
  [0x00, 0x01, 0x00, 0x00], // TrueType, ICO
  [0x4f, 0x67, 0x67, 0x53], // Ogg
  [0x49, 0x44, 0x33], // MP3
  [0x1a, 0x45, 0xdf, 0xa3], // Matroska
  [0x52, 0x61, 0x72, 0x21], // rar
  [0x7f, 0x45, 0x4c, 0x46], // ELF
  [0x4d, 0x5a], // PE
  [0xcf, 0xfa, 0xed, 0xfe], // Mach-O
  [0xca, 0xfe, 0xba, 0xbe], // Mach-O for several, Java classes
  [0x50, 0x41, 0x43, 0x4b], // git packs
]

/** As much of a body tells what it is. */
const SNIFFED_BYTES = 4096

/**
 * Whether a body that begins like this is kept as it is: one whose type promises no text, that begins like what is packed or is a program, and is surely no
 * text there. Whatever else its type promises nothing of is looked at: a few bytes say nothing of those behind them.
 */
export function isOpaque(media: Media, body: Uint8Array): boolean {
  return MAGIC.some((magic) => magic.every((byte, at) => body[at] === byte)) && isBinaryPart(media, body)
}

/** Whether a part of a body that begins like this is surely no part of a text, whatever its type says: where a part begins is the client's to choose. */
export function isBinaryPart(media: Media, part: Uint8Array): boolean {
  return promisesNothing(media) && isBinary(part.subarray(0, SNIFFED_BYTES))
}

/** Whether a type says nothing of there being a text. */
export function promisesNothing(media: Media): boolean {
  return media === 'unknown' || media === 'opaque'
}
