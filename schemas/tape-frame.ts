import type { Facts, Frame, Masks } from './frame.ts'
import { type Unpacked, Unpacker } from './msgpack.ts'
import { DIRS, FRAME_HEAD_SIZE } from './tape.ts'
import { array, binary, count, fail, malformed, object, text } from './tape-members.ts'
import type { Act, VerdictNote } from './verdict.ts'

const ACTS = ['allow', 'mask', 'block', 'hold'] as const satisfies readonly Act[]

export function decodeFrame(bytes: Uint8Array, from = 0, to = bytes.length): Frame {
  const value = new Unpacker(bytes, from, to).only()
  const [seq, atUs, dir, channel, kind, facts, body, masks, verdict, ...more] = array(value, 'frame')
  if (more.length > 0) throw malformed('frame has more than 9 members')
  return {
    seq: count(seq, 'frame seq'),
    atUs: count(atUs, 'frame atUs'),
    dir: DIRS[count(dir, 'frame dir')] ?? fail('frame dir'),
    channel: count(channel, 'frame channel'),
    kind: text(kind, 'frame kind'),
    facts: factsOf(facts),
    body: body === null ? null : binary(body, 'frame body'),
    masks: masks === null ? null : masksOf(masks),
    verdict: verdict === null ? null : verdictOf(verdict),
  }
}

/** The frames of an unpacked chunk, as [from, to) pairs in one array. Throws TAPE_MALFORMED where the sizes do not add up. */
export function frameBounds(raw: Uint8Array): number[] {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const bounds: number[] = []
  let at = 0
  while (at < raw.length) {
    if (raw.length - at < FRAME_HEAD_SIZE) throw malformed('a frame size is cut off')
    const size = view.getUint32(at)
    at += FRAME_HEAD_SIZE
    if (size === 0 || size > raw.length - at) throw malformed(`frame of ${size} bytes in a chunk with ${raw.length - at} left`)
    bounds.push(at, at + size)
    at += size
  }
  return bounds
}

function factsOf(value: Unpacked | undefined): Facts {
  const map = object(value, 'frame facts')
  for (const key in map) {
    const fact = map[key]
    if (fact instanceof Uint8Array) throw malformed(`fact ${key} is binary`)
    if (Array.isArray(fact)) {
      for (const item of fact) text(item, `fact ${key}`)
    } else if (typeof fact === 'object' && fact !== null) throw malformed(`fact ${key} is a map`)
  }
  // Every member is null, boolean, number, text or an array of text: checked above.
  return map as Facts
}

function masksOf(value: Unpacked | undefined): Masks {
  const [labels, spans] = array(value, 'frame masks')
  return {
    labels: array(labels, 'mask labels').map((label) => {
      const [entity, rule] = array(label, 'mask label')
      return [text(entity, 'mask entity'), text(rule, 'mask rule')] as const
    }),
    spans: binary(spans, 'mask spans'),
  }
}

function verdictOf(value: Unpacked | undefined): VerdictNote {
  const [act, rules, policy, approval] = array(value, 'frame verdict')
  const note = {
    act: ACTS.find((name) => name === act) ?? fail('verdict act'),
    rules: array(rules, 'verdict rules').map((rule) => text(rule, 'verdict rule')),
    policy: text(policy, 'verdict policy'),
  }
  return approval === null || approval === undefined ? note : { ...note, approval: text(approval, 'verdict approval') }
}
