import { noChange } from 'lit'
import { Directive, type DirectiveParameters, directive, type ElementPart, type PartInfo, PartType } from 'lit/directive.js'

/** Lengths and places that only the page knows, by the style object: a style attribute is what the Content-Security-Policy forbids. */
class StyledDirective extends Directive {
  #known: Readonly<Record<string, string>> = {}

  constructor(part: PartInfo) {
    super(part)
    if (part.type !== PartType.ELEMENT) throw new Error('styled() stands in a tag, not in an attribute')
  }

  override render(_styles: Readonly<Record<string, string>>): typeof noChange {
    return noChange
  }

  override update({ element }: ElementPart, [styles]: DirectiveParameters<this>): typeof noChange {
    if (!(element instanceof HTMLElement)) return noChange
    for (const [name, value] of Object.entries(styles)) if (this.#known[name] !== value) element.style.setProperty(name, value)
    this.#known = styles
    return noChange
  }
}

export const styled = directive(StyledDirective)
