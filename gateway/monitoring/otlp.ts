import packageJson from '../../package.json' with { type: 'json' }

// What logs and traces have in common in OTLP's JSON (opentelemetry-proto 1.x, "JSON Protobuf Encoding").

export interface Attribute {
  readonly key: string
  readonly value:
    | { readonly stringValue: string }
    | { readonly intValue: string }
    | { readonly arrayValue: { readonly values: readonly { readonly stringValue: string }[] } }
}

export function attribute(key: string, value: string | number | readonly string[]): Attribute {
  if (typeof value === 'string') return { key, value: { stringValue: value } }
  if (typeof value === 'number') return { key, value: { intValue: String(Math.round(value)) } }
  return { key, value: { arrayValue: { values: value.map((stringValue) => ({ stringValue })) } } }
}

/** Who tells. */
export function resourceOf(gateway: string): { readonly attributes: readonly Attribute[] } {
  return { attributes: [attribute('service.name', 'sallyport'), attribute('service.instance.id', gateway)] }
}

export function scopeOf(part: 'ledger' | 'traces'): { readonly name: string; readonly version: string } {
  return { name: `sallyport.${part}`, version: packageJson.version }
}

/** How many the receiver took and threw away: OTLP forbids to send them again. An answer that is none of OTLP's says nothing about that. */
export function rejectedOf(answer: string, member: 'rejectedLogRecords' | 'rejectedSpans'): number {
  try {
    const value: unknown = JSON.parse(answer)
    if (typeof value !== 'object' || value === null || !('partialSuccess' in value)) return 0
    const { partialSuccess } = value
    if (typeof partialSuccess !== 'object' || partialSuccess === null) return 0
    return Number((partialSuccess as Readonly<Record<string, unknown>>)[member]) || 0
  } catch {
    return 0
  }
}
