/** Where a replay is, and whether it goes on. Pure: time is what `tick` says. */
export interface Player {
  /** Of the playhead, microseconds since the session's start. */
  readonly atUs: number
  readonly playing: boolean
  /** Times the recorded speed. */
  readonly speed: number
  readonly durationUs: number
}

export const SPEEDS = [0.25, 0.5, 1, 2, 5, 10, 50] as const
/** Where nothing happens for longer, the replay goes on at once. */
export const IDLE_LIMIT_US = 2_000_000

export type Move =
  | { readonly move: 'toggle' }
  | { readonly move: 'to'; readonly atUs: number }
  | { readonly move: 'by'; readonly us: number }
  /** 0 to 1. */
  | { readonly move: 'part'; readonly of: number }
  | { readonly move: 'speed'; readonly by: 1 | -1 }
  | { readonly move: 'grown'; readonly durationUs: number }
  /** `realUs` have passed; the next frame is at `nextUs`, where one is known. */
  | { readonly move: 'tick'; readonly realUs: number; readonly nextUs?: number }

export const STOPPED: Player = { atUs: 0, playing: false, speed: 1, durationUs: 0 }

export function play(player: Player, move: Move): Player {
  const { atUs, durationUs } = player
  const at = (us: number): Player => ({ ...player, atUs: Math.min(Math.max(us, 0), durationUs) })
  switch (move.move) {
    case 'toggle':
      if (player.playing) return { ...player, playing: false }
      return { ...player, playing: true, atUs: atUs >= durationUs ? 0 : atUs }
    case 'to':
      return at(move.atUs)
    case 'by':
      return at(atUs + move.us)
    case 'part':
      return at(durationUs * move.of)
    case 'speed': {
      const index = SPEEDS.findIndex((speed) => speed >= player.speed) + move.by
      return { ...player, speed: SPEEDS[Math.min(Math.max(index, 0), SPEEDS.length - 1)] ?? 1 }
    }
    case 'grown':
      return { ...player, durationUs: move.durationUs }
    case 'tick': {
      if (!player.playing) return player
      const idle = move.nextUs !== undefined && move.nextUs - atUs > IDLE_LIMIT_US
      const next = at(idle ? (move.nextUs ?? 0) : atUs + move.realUs * player.speed)
      return next.atUs >= durationUs ? { ...next, playing: false } : next
    }
    default:
      return move satisfies never
  }
}
