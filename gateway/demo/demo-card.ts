import type { DemoKeys } from './demo-folder.ts'
import { AGENT, APPROVER, HUMAN } from './demo-folder.ts'
import { SAMPLE_DATABASE } from './sample-target.ts'

export interface CardFacts {
  readonly port: number
  readonly keys: DemoKeys
  /** The sample session, there to be replayed. */
  readonly session: string
  /** A one-time link to the console, where there is a page. */
  readonly console?: string
  /** How the command is called here, e.g. `npx sallyport`. */
  readonly command: string
}

/** What a newcomer pastes next. Every line works as it stands, in a second terminal. */
export function demoCard({ port, keys, session, console: link, command }: CardFacts): string {
  const psql = (user: string, key: string): string =>
    `PGPASSWORD=${key} psql "host=127.0.0.1 port=${port} dbname=${SAMPLE_DATABASE} user=${user} sslmode=require"`
  const page =
    link === undefined
      ? ''
      : `
  In the browser, as ${APPROVER.subject}: watch it live, replay it, decide about what is held
    ${link}
    (works once, for an hour; another: ${command} console link --identity ${APPROVER.subject})
`
  return `
Sallyport is open on 127.0.0.1:${port}.
${page}
In a second terminal, in this folder:

  As the agent
    ${psql(AGENT, keys.agent)}
  As a human
    ${psql(HUMAN, keys.human)}

  Try
    SELECT id, name, email, ssn, card FROM customers LIMIT 5;        personal data is masked
    COPY customers TO PROGRAM 'cat > /tmp/stolen';                   blocked
    SELECT * FROM orders;                                            as the agent: cut at the row threshold
    DELETE FROM stale_carts;                                         held, until somebody decides

  Decide about what is held, as ${APPROVER.subject}
    export SALLYPORT_KEY=${keys.approver}
    ${command} approvals list
    ${command} approvals approve A-XXXXXXXX          the id that psql and the list show
    ${command} approvals reject A-XXXXXXXX --reason "not on a Friday"

  See and prove what happened, with the key above
    ${command} sessions
    ${command} sessions show ${session.slice(-8)}                 what happened in one, in a few sentences
    ${command} search 'table:customers rows>0'        rows, screens and bodies are found too
    ${command} pulls --table customers --since 7d     who took the most of it; README.md goes on from here
    ${command} findings list                          who took a lot, in one go or in many small ones
    ${command} replay ${session}
    ${command} verify .sallyport/data

Ctrl-C stops it; tapes and rows stay for the next \`npm start\`.
`
}
