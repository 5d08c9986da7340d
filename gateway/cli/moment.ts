import { ApplianceError } from '../../schemas/errors.ts'
import { parseTerms, termText } from '../../schemas/filter.ts'

export interface Between {
  /** `7d`, `24h` or a date, as in the filter language. */
  readonly since?: string
  readonly until?: string
}

/** What was given as a time, in ISO 8601; what is none is told with the option's name. */
export function moment(field: keyof Between, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const parsed = parseTerms(termText(field, text), Date.now())
  if (!parsed.ok) throw new ApplianceError('API_INVALID', `--${parsed.what}`)
  return parsed.terms[0]?.value
}

/** Whether a time, in ISO 8601, lies between the two; what has none lies nowhere. */
export function between({ since, until }: Between): (at: string | undefined) => boolean {
  const from = Date.parse(moment('since', since) ?? '')
  const to = Date.parse(moment('until', until) ?? '')
  if (Number.isNaN(from) && Number.isNaN(to)) return () => true
  return (at) => {
    const time = Date.parse(at ?? '')
    return !Number.isNaN(time) && !(time < from) && !(time >= to)
  }
}
