import type { Random } from '../support/random.ts'
import { type RecordingFolder, recordingFolder } from '../support/recording.ts'

export interface Context {
  /** Of this scenario alone: the same seed draws the same. */
  readonly random: Random
  /** How often the scenario is played. */
  readonly runs: number
  readonly progress: (line: string) => void
}

/** What became of the frames a scenario let through. */
export class Account {
  runs = 0
  sessions = 0
  /** Frames (bytes, where a real gateway is driven) that clients or targets were given. */
  delivered = 0
  /** Of these: what the tapes have. */
  recoverable = 0
  /** Delivered and lost within the window that the level states. */
  lostInWindow = 0
  /** Told to clients whose session could not be opened: nothing was let through, and there is no tape that could have it. */
  refusedUnrecorded = 0
  readonly violations: string[] = []
  /** What was played in place of what the scenario says, and why: this machine or user cannot. */
  instead: string | undefined

  violation(what: string): void {
    this.violations.push(what)
  }
}

/** One after the other, each with a folder of its own and numbers of its own. */
export async function eachRun(
  { random, runs, progress }: Context,
  account: Account,
  play: (random: Random, folder: RecordingFolder) => Promise<void>,
): Promise<void> {
  for (let run = 0; run < runs; run += 1) {
    account.runs += 1
    await using folder = await recordingFolder()
    await play(random.fork(), folder)
    progress(`run ${run + 1} of ${runs}`)
  }
}

/** Something that goes wrong, played `runs` times. */
export interface Scenario {
  readonly name: string
  readonly about: string
  /** How often it is played when nobody says. */
  readonly defaultRuns: number
  play(context: Context, account: Account): Promise<void>
}
