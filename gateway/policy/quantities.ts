const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const SIZE_BYTES: Readonly<Record<string, number>> = { KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 }

/** `45s` -> 45000. The schema has checked the form. */
export function durationMs(text: string): number {
  const [, count = '0', unit = 'ms'] = /^(\d+)(\w+)$/.exec(text) ?? []
  return Number(count) * (DURATION_MS[unit] ?? 1)
}

/** `16MiB` -> 16777216; a number is itself. The schema has checked the form. */
export function sizeBytes(value: number | string): number {
  if (typeof value === 'number') return value
  const [, count = '0', unit = ''] = /^(\d+)(\w*)$/.exec(value) ?? []
  return Number(count) * (SIZE_BYTES[unit] ?? 1)
}

/** One or many, as many. */
export function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T]
}
