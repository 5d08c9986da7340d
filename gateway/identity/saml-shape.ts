/** Deeper than any response: a group stands at the sixth place. */
const MAX_DEPTH = 40
/** Those of a response, and of the certificates and devices that some issuers tell of; what is there for each group apart. */
const MAX_ELEMENTS = 300
const MAX_VALUES = 2_000
/** Of a group that stands for itself, and of several. */
const VALUE = /(?:^|:)Attribute(?:Value)?$/
/** Of one element; a response's own has some seven. */
const MAX_ATTRIBUTES = 30
const OPENING = /<([A-Za-z_][\w.:-]*)((?:\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y
const CLOSING = /<\/([A-Za-z_][\w.:-]*)\s*>/y
const ATTRIBUTE = /=\s*(?:"[^"]*"|'[^']*')/g
/** What has no elements in it, and how it ends. */
const OTHERS: readonly (readonly [begins: string, ends: string])[] = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
]

/**
 * Whether this is XML as an issuer writes it: every element closed, none deep, crowded or without number. Parsers and signatures take time that grows
 * with the square of what is not so, minutes for a response of 150 kB that anybody may post. Linear.
 */
export function isTame(xml: string): boolean {
  const open: string[] = []
  let elements = 0
  let values = 0
  for (let at = xml.indexOf('<'); at !== -1; at = xml.indexOf('<', at)) {
    const other = OTHERS.find(([begins]) => xml.startsWith(begins, at))
    if (other !== undefined) {
      const [begins, ends] = other
      const end = xml.indexOf(ends, at + begins.length)
      elements += 1
      if (end === -1 || elements > MAX_ELEMENTS) return false
      at = end + ends.length
      continue
    }
    const tag = xml[at + 1] === '/' ? CLOSING : OPENING
    tag.lastIndex = at
    const [whole, name = '', attributes = '', closed] = tag.exec(xml) ?? []
    if (whole === undefined) return false
    if (tag === CLOSING) {
      if (open.pop() !== name) return false
    } else {
      if (VALUE.test(name)) values += 1
      else elements += 1
      if (elements > MAX_ELEMENTS || values > MAX_VALUES || (attributes.match(ATTRIBUTE)?.length ?? 0) > MAX_ATTRIBUTES)
        return false
      if (closed === '') open.push(name)
    }
    if (open.length > MAX_DEPTH) return false
    at += whole.length
  }
  return open.length === 0
}

const WEAK = /\bAlgorithm\s*=\s*(["'])(?:(?!\1)[^<])*?(?:sha-?1\b|md5|&)/i

/** Whether something in it is signed by way of SHA-1 or MD5, of which two texts can be made that sign alike; or by way of what cannot be told (a character reference is gone once it is signed). */
export function isWeaklySigned(xml: string): boolean {
  return WEAK.test(xml)
}
