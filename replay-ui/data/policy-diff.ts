/** One rule, or another part of a policy, in two of them; text is JSON by lines. */
export interface PolicyChange {
  readonly what: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** What differs between two policies (their text as it was hashed), rule by rule. Of what is no such text, the whole is one change. */
export function policyChanges(before: string, after: string): readonly PolicyChange[] {
  const [old, made] = [partsOf(before), partsOf(after)]
  return [...new Set([...made.keys(), ...old.keys()])]
    .map((what) => ({ what, before: old.get(what), after: made.get(what) }))
    .filter((change) => change.before !== change.after)
}

export interface PolicyRule {
  readonly id: string
  readonly action: string
  readonly shadow: boolean
  readonly reason: string
  /** Everything else of it. */
  readonly when: string
}

/** The rules of a policy, in their order. Empty for what is no policy. */
export function rulesOf(text: string): readonly PolicyRule[] {
  const content = objectOf(text)
  const rules = Array.isArray(content['rules']) ? content['rules'] : []
  return rules.flatMap((rule: unknown) => {
    if (!isObject(rule)) return []
    const { id, action, mode, reason, ...when } = rule
    return [
      {
        id: String(id),
        action: String(action ?? ''),
        shadow: mode === 'shadow' || content['mode'] === 'shadow',
        reason: typeof reason === 'string' ? reason : '',
        when: JSON.stringify(when),
      },
    ]
  })
}

function partsOf(text: string): Map<string, string> {
  const parts = new Map<string, string>()
  const { rules, ...rest } = objectOf(text)
  for (const rule of Array.isArray(rules) ? rules : [])
    if (isObject(rule)) parts.set(`rule ${String(rule['id'])}`, JSON.stringify(rule, null, 2))
  for (const [name, value] of Object.entries(rest)) parts.set(name, JSON.stringify(value, null, 2))
  return parts
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : { policy: value }
  } catch (error) {
    if (error instanceof SyntaxError) return { policy: text }
    throw error
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
