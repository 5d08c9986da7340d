import { type Command, InvalidArgumentError } from 'commander'

// What the parts of the command line are put together from.

export const EXIT_HELP = '\nExit codes: 0 done, 1 failed, 2 wrong usage.'
export const VERDICTS_HELP =
  '\nExit codes: 0 VALID, 10 VALID-INCOMPLETE, 20 INVALID, 30 UNVERIFIABLE, 40 UNTRUSTED, 50 DELETED-BY-POLICY, 2 wrong usage.'
export const CONFIG_HELP =
  "\nConfiguration: --config, else SALLYPORT_CONFIG, else ./sallyport.yaml, else the demo's .sallyport/sallyport.yaml."

export type Make = (parent: Command, usage: string, description: string) => Command
export type Runs = (work: Promise<number>) => Promise<void>

export function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('a whole number')
  return Number(text)
}
