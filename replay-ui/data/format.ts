const COUNT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `12,345`, as the server's sentences have it. */
export function countText(count: number): string {
  return COUNT.format(count)
}

/** `3 frames`, `1 frame`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

export function sizeText(size: number): string {
  let [value, unit] = [size, 0]
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${UNITS[unit] ?? ''}`
}

/** From the session's start: `0.123 s`, `12.3 s`, `4:05.6`, `1:02:03`. */
export function timeText(us: number): string {
  const seconds = us / 1e6
  if (seconds < 10) return `${seconds.toFixed(3)} s`
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const whole = Math.floor(seconds)
  const two = (value: number): string => String(value).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)}.${Math.floor(us / 1e5) % 10}`
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
}

/** To the microsecond, for where two frames must be told apart: `12.345678`. */
export function exactTime(us: number): string {
  return (us / 1e6).toFixed(6)
}

/** `2026-11-20 10:51:50 UTC`: evidence has one clock, whoever looks at it. */
export function dateText(iso: string): string {
  const date = new Date(iso)
  return Number.isNaN(date.getTime()) ? iso : `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** `in 4 min`, `12 s ago`, `3 h ago`. */
export function agoText(iso: string, nowMs: number): string {
  const ms = nowMs - new Date(iso).getTime()
  const seconds = Math.round(Math.abs(ms) / 1000)
  const text =
    seconds < 60
      ? `${seconds} s`
      : seconds < 3600
        ? `${Math.floor(seconds / 60)} min`
        : seconds < 172_800
          ? `${Math.floor(seconds / 3600)} h`
          : `${Math.floor(seconds / 86_400)} d`
  return ms < 0 ? `in ${text}` : `${text} ago`
}
