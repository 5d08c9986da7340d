import ssh2 from 'ssh2'

/** CommonJS, whose other names an ES module cannot be given directly. */
export const { BaseAgent, Client, Server, utils } = ssh2
