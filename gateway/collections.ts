import { setFlagsFromString } from 'node:v8'

/**
 * V8 begins a full collection for every 64 MiB of bytes that went through, dead as most are: half of a bulk stream's processor time. So they
 * count together with the heap, whose limit follows what is alive. For a whole process, as it starts.
 */
export function countBytesWithHeap(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit')
}

/**
 * The part of the heap for what has just been made stays as small as it is. It would grow to 64 MiB for work that makes much and keeps nothing,
 * which a command beside other work on the machine should not take. From here on, for the whole process.
 */
export function keepYoungSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
