/** Begins to count; what it gives tells the milliseconds of processor time this process has used since, whatever else the machine does. */
export function cpuClock(): () => number {
  const begun = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(begun)
    return (user + system) / 1000
  }
}
