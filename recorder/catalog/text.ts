import { createHash } from 'node:crypto'

/** Every index takes it, in UTF-8 with what stands beside it: PostgreSQL's limit is 2,704 bytes. */
const MAX_NAME_CHARS = 256
const HASH_CHARS = 16

/** The name of a table, route or path as it is kept: of a long one its beginning, and a hash of all of it in small letters. */
export function keptName(name: string): string {
  if (name.length <= MAX_NAME_CHARS) return name
  return `${name.slice(0, MAX_NAME_CHARS)}...${createHash('sha256').update(name.toLowerCase()).digest('hex').slice(0, HASH_CHARS)}`
}

/**
 * PostgreSQL's text takes every character but NUL, and its JSON no lone surrogates; recorded text may hold both. They are
 * shown as the replacement character, on the page as in the catalog; the tape has the bytes.
 */
export function sqlText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}

/** JSON as a parameter, every string and key in it safe for PostgreSQL. */
export function sqlJson(value: unknown): string {
  return JSON.stringify(safe(value))
}

function safe(value: unknown): unknown {
  if (typeof value === 'string') return sqlText(value)
  if (Array.isArray(value)) return value.map(safe)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [sqlText(key), safe(member)]))
  }
  return value
}

/** A pattern of LIKE that finds this text anywhere in it. */
export function anywhere(text: string): string {
  return `%${escaped(text)}%`
}

/** A pattern of LIKE in which `*` stands for any characters. */
export function globbed(text: string): string {
  return escaped(text).replaceAll('*', '%')
}

function escaped(text: string): string {
  return sqlText(text).replaceAll(/[\\%_]/g, '\\$&')
}
