import { type Facts, type Frame, MASK_SPAN_SIZE, type Masks } from './frame.ts'
import { type Unpacked, Unpacker } from './msgpack.ts'
import { DIRS, FRAME_HEAD_SIZE, MAX_FRAME_BODY, MAX_FRAME_SIZE } from './tape.ts'
import { array, binary, count, fail, malformed, object, text, tuple } from './tape-members.ts'
import type { Act, VerdictNote } from './verdict.ts'

const ACTS = ['allow', 'mask', 'block', 'hold'] as const satisfies readonly Act[]

export function decodeFrame(bytes: Uint8Array, from = 0, to = bytes.length): Frame {
  const value = new Unpacker(bytes, from, to).only()
  const [seq, atUs, dir, channel, kind, facts, body, masks, verdict] = tuple(value, 9, 'frame')
  return {
    seq: count(seq, 'frame seq'),
    atUs: count(atUs, 'frame atUs'),
    dir: DIRS[count(dir, 'frame dir')] ?? fail('frame dir'),
    channel: count(channel, 'frame channel'),
    kind: text(kind, 'frame kind'),
    facts: factsOf(facts),
    body: body === null ? null : bodyOf(body),
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
    if (size > MAX_FRAME_SIZE) throw malformed(`frame of ${size} bytes, the limit is ${MAX_FRAME_SIZE}`)
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

function bodyOf(value: Unpacked | undefined): Uint8Array {
  const body = binary(value, 'frame body')
  if (body.length > MAX_FRAME_BODY) throw malformed(`frame body of ${body.length} bytes, the limit is ${MAX_FRAME_BODY}`)
  return body
}

function masksOf(value: Unpacked | undefined): Masks {
  const [labels, packed] = tuple(value, 2, 'frame masks')
  const spans = binary(packed, 'mask spans')
  if (spans.length % MASK_SPAN_SIZE !== 0) throw malformed('mask spans are cut off')
  return {
    labels: array(labels, 'mask labels').map((label) => {
      const [entity, rule] = tuple(label, 2, 'mask label')
      return [text(entity, 'mask entity'), text(rule, 'mask rule')] as const
    }),
    spans,
  }
}

function verdictOf(value: Unpacked | undefined): VerdictNote {
  const [act, rules, policy, approval] = tuple(value, 4, 'frame verdict')
  const note = {
    act: ACTS.find((name) => name === act) ?? fail('verdict act'),
    rules: array(rules, 'verdict rules').map((rule) => text(rule, 'verdict rule')),
    policy: text(policy, 'verdict policy'),
  }
  return approval === null ? note : { ...note, approval: text(approval, 'verdict approval') }
}
