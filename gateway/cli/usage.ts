import { type Command, InvalidArgumentError } from 'commander'

// What the parts of the command line are put together from.

export const EXIT_HELP = '\nExit codes: 0 done, 1 failed, 2 wrong usage.'
export const VERDICTS_HELP =
  '\nExit codes: 0 VALID, 10 VALID-INCOMPLETE, 20 INVALID, 30 UNVERIFIABLE, 40 UNTRUSTED, 50 DELETED-BY-POLICY; 1 failed, 2 wrong usage.'
export const CONFIG_HELP =
  "\nConfiguration: --config, else SALLYPORT_CONFIG, else ./sallyport.yaml, else the demo's .sallyport/sallyport.yaml."

export type Make = (parent: Command, usage: string, description: string) => Command
export type Runs = (work: Promise<number>) => Promise<void>

/** What commander says behind "argument 'x' is invalid." */
export function takes(what: string): InvalidArgumentError {
  return new InvalidArgumentError(`It takes ${what}.`)
}

export function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw takes('a whole number')
  return Number(text)
}

/** From a quarter of one to an hour. */
export function seconds(text: string): number {
  const value = Number(text)
  if (!/^\d{1,4}(\.\d{1,2})?$/.test(text) || value < 0.25 || value > 3_600) throw takes('0.25 to 3600 seconds')
  return value
}
