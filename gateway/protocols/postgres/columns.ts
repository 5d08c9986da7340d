import { ApplianceError } from '../../../schemas/errors.ts'
import type { Field } from '../../message.ts'
import { cstringEnd, HEADER_SIZE, int32, textAt, uint16 } from './messages.ts'

/** Where a result column comes from, as RowDescription tells; `table` 0 for anything computed. */
export interface ColumnOrigin {
  readonly name: string
  readonly table: number
  readonly attribute: number
  readonly type: number
  readonly format: number
}

/**
 * Types that cannot carry what detectors look for: numbers, dates, booleans, identifiers, geometry. Half of the card hits in
 * a measurement came from numeric and timestamp columns; a labelled column is masked whatever its type.
 * Object ids from pg_type.dat; they are fixed for built-in types.
 */
const QUIET_TYPES: ReadonlySet<number> = new Set([
  16, 20, 21, 23, 26, 27, 28, 29, 600, 601, 602, 603, 604, 628, 650, 700, 701, 718, 774, 790, 829, 869, 1000, 1005, 1007, 1016,
  1021, 1022, 1082, 1083, 1114, 1115, 1182, 1184, 1185, 1186, 1231, 1266, 1560, 1562, 1700, 2202, 2205, 2206, 2278, 2950, 2951,
  3220, 4089, 4096, 5069,
])
/** Types whose text is free: any replacement is a valid value, and binary format is the text itself. */
const TEXT_TYPES: ReadonlySet<number> = new Set([19, 25, 705, 1042, 1043, 2275])
const JSON_TYPES: ReadonlySet<number> = new Set([114, 3802])
const XML_TYPE = 142
const BYTEA_TYPE = 17

/** Whether a value of the type is text, or holds text and nothing else that could be computed with. */
export function isTextual(type: number): boolean {
  return TEXT_TYPES.has(type) || JSON_TYPES.has(type) || type === XML_TYPE || type === BYTEA_TYPE
}

export interface Labelled {
  readonly label: string
  readonly entity: string
}

/** How the columns of one description are treated, in text format, in binary, and as the description itself says the formats. */
export interface Described {
  readonly text: readonly Field[]
  readonly binary: readonly Field[]
  readonly asDescribed: readonly Field[]
}

export function describedBy(origins: readonly ColumnOrigin[], labelled: readonly (Labelled | undefined)[]): Described {
  const text = origins.map((origin, index) => columnField(origin, 0, labelled[index]))
  const binary = origins.map((origin, index) => columnField(origin, 1, labelled[index]))
  const asDescribed = origins.every(({ format }) => format !== 1)
    ? text
    : origins.map(({ format }, index) => (format === 1 ? binary : text)[index] ?? UNDESCRIBED)
  return { text, binary, asDescribed }
}

const UNDESCRIBED: Field = { path: 'row', action: 'scan', bulk: true }

/** The column list of one RowDescription message, `[from, to)` of `bytes`. */
export function readOrigins(bytes: Uint8Array, from: number, to: number): readonly ColumnOrigin[] {
  const count = uint16(bytes, from + HEADER_SIZE)
  const origins: ColumnOrigin[] = []
  let at = from + HEADER_SIZE + 2
  for (let index = 0; index < count; index++) {
    const end = cstringEnd(bytes, at, to)
    if (end === -1 || end + 19 > to)
      throw new ApplianceError('PROTOCOL_MALFORMED', `row description of ${count} columns ends inside column ${index + 1}`)
    origins.push({
      name: textAt(bytes, at, end),
      table: int32(bytes, end + 1) >>> 0,
      attribute: uint16(bytes, end + 5),
      type: int32(bytes, end + 7) >>> 0,
      format: uint16(bytes, end + 17),
    })
    at = end + 19
  }
  return origins
}

/** How one column is treated: its label wins, then its type. Unknown is scanned. */
export function columnField(origin: ColumnOrigin, format: number, labelled: Labelled | undefined): Field {
  const path = `row.${origin.name}`
  const free = TEXT_TYPES.has(origin.type)
  const quiet = QUIET_TYPES.has(origin.type)
  if (labelled !== undefined) {
    return {
      path,
      action: 'mask',
      label: labelled.label,
      entity: labelled.entity,
      nullOnly: !free && !isUserText(origin, format),
    }
  }
  if (quiet) return { path, action: 'skip' }
  if (origin.type === BYTEA_TYPE && format === 0) return { path, action: 'scan', encoding: 'bytea', nullOnly: true }
  if (free || JSON_TYPES.has(origin.type) || origin.type === XML_TYPE || format === 0) return { path, action: 'scan', bulk: true }
  // A binary structure (array, composite, range): its inner lengths would be wrong after a replacement.
  return { path, action: 'scan', nullOnly: true }
}

/** Whether a computed column of this type could carry somebody's data on: a count or a flag is let pass, whatever it was computed from. */
export function canHide(origin: ColumnOrigin): boolean {
  return columnField(origin, 0, undefined).action !== 'skip'
}

/** Types of extensions and users (citext, enums) in text format: free text as far as the wire can tell. */
function isUserText(origin: ColumnOrigin, format: number): boolean {
  return format === 0 && origin.type >= FIRST_USER_OID
}

/** PostgreSQL gives object ids below this to its own catalogs (FirstNormalObjectId). */
export const FIRST_USER_OID = 16_384
