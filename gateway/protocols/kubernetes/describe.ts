import type { Describer, Told } from '../../../recorder/catalog/describe.ts'
import { asks } from '../../../schemas/asked.ts'
import { type Frame, isReleased } from '../../../schemas/frame.ts'
import { KubernetesView } from '../../../schemas/views/kubernetes.ts'

/** Of a body: enough to tell requests apart in a list. */
const MAX_BODY_CHARS = 2_000

/** Tells the catalog what was asked of the API server, discovery left out, and what answered it. */
export class KubernetesDescriber implements Describer {
  readonly #view = new KubernetesView()

  read(frame: Frame): readonly Told[] {
    const { dir, kind, facts, channel } = frame
    if (dir === 'note' || facts['origin'] === 'gateway' || facts['part'] === 'middle' || facts['part'] === 'last') return []
    if (dir === 'out') {
      const { status } = facts
      if (kind !== 'response' || typeof status !== 'number') return []
      return [{ told: 'answer', answer: channel, rows: 0, end: status >= 400 ? 'error' : 'complete' }]
    }
    if (!asks('kubernetes', frame)) return []
    const texts = this.#view.read(frame).flatMap((shown) => {
      if (shown.show === 'statement') return [shown.text]
      return shown.show === 'word' && shown.label === 'body' ? [shown.text.slice(0, MAX_BODY_CHARS)] : []
    })
    return [{ told: 'statement', kind, text: texts.join('\n'), answer: isReleased(frame) ? channel : null }]
  }
}
