/** CPU time of this thread so far, in us: what else the machine does is not in it. */
export function cpuUs(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}
