import type { BundleManifest } from '../schemas/bundle.ts'
import { ApplianceError } from '../schemas/errors.ts'

type Scope = BundleManifest['scope']

/** What a bundle is asked to be of; everything where nothing is named. */
export interface ScopeWish {
  readonly target?: readonly string[]
  readonly identity?: readonly string[]
  /** Targets that have all of these, now. */
  readonly labels?: Readonly<Record<string, string>>
}

interface Labelled {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>> | undefined
}

/**
 * The scope as the manifest says it: names, in order, each once. Labels stand for the targets that have them in the configuration at hand, as the log, by
 * which a population is verified, knows targets by name. Throws CONFIG_INVALID where no target has them: a scope of nothing would be one of everything.
 */
export function bundleScope({ target = [], identity = [], labels = {} }: ScopeWish, targets: readonly Labelled[]): Scope {
  const wanted = Object.entries(labels)
  const labelled =
    wanted.length === 0 ? [] : targets.filter((one) => wanted.every(([name, value]) => one.labels?.[name] === value))
  if (wanted.length > 0 && labelled.length === 0)
    throw new ApplianceError(
      'CONFIG_INVALID',
      `no target of the configuration has the labels ${wanted.map(([name, value]) => `${name}=${value}`).join(', ')}`,
    )
  const names = new Set([...target, ...labelled.map(({ name }) => name)])
  return { target: [...names].sort(), identity: [...new Set(identity)].sort() }
}

/** `target=shop,web-1`, `identity=ada@example.com`, `label=env=prod`. Throws CONFIG_INVALID. */
export function readScope(texts: readonly string[]): ScopeWish {
  const wish = { target: [] as string[], identity: [] as string[], labels: {} as Record<string, string> }
  for (const text of texts) {
    const at = text.indexOf('=')
    const [name, values] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)]
    const [, label, value] = /^([^=,]+)=([^,]+)$/.exec(values) ?? []
    if (name === 'label' && label !== undefined && value !== undefined) wish.labels[label] = value
    else if ((name === 'target' || name === 'identity') && values !== '') wish[name].push(...values.split(','))
    else
      throw new ApplianceError(
        'CONFIG_INVALID',
        `--scope takes target=NAME or identity=NAME, several with commas, or label=NAME=VALUE; not ${text}`,
      )
  }
  return wish
}
