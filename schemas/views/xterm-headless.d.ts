// The package names a module for bundlers that is not in it; this is the one that is, for browsers and node alike.
declare module '@xterm/headless/lib-headless/xterm-headless.mjs' {
  export { Terminal } from '@xterm/headless'
}
