import { nothing, type TemplateResult } from 'lit'

/** What a template says, tags and all, as one text: views are pure, so that they can be read without a browser. */
export function textOf(value: unknown): string {
  if (value === nothing || value === null || value === undefined || typeof value === 'function') return ''
  if (Array.isArray(value)) return value.map(textOf).join('')
  if (isTemplate(value)) {
    const { strings, values } = value
    return strings.map((part, index) => part + textOf(values[index])).join('')
  }
  return typeof value === 'object' ? '' : String(value)
}

function isTemplate(value: unknown): value is TemplateResult {
  return typeof value === 'object' && value !== null && 'strings' in value && 'values' in value
}
