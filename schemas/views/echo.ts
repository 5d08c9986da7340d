import type { Frame } from '../frame.ts'
import type { Shown, View } from './view.ts'

/** The text of each echo frame, as far as it stands in this frame of the tape. */
export class EchoView implements View {
  read({ dir, body }: Frame): readonly Shown[] {
    if (dir === 'note' || body === null) return []
    // Channel and length word stand in front (README.md).
    const text = new TextDecoder().decode(body.subarray(5))
    return dir === 'in' ? [{ show: 'statement', label: 'say', text }] : [{ show: 'word', label: 'echo', text }]
  }
}
