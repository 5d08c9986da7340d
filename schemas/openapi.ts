import type { TSchema } from 'typebox'
import {
  AccessAsk,
  AccessTargets,
  API_BASE,
  ApprovalPage,
  ApprovalView,
  CSRF_HEADER,
  DecisionAsk,
  ENDPOINTS,
  EndAsk,
  type Endpoint,
  FindingExplained,
  FindingPage,
  FindingView,
  Health,
  Kill,
  KillAnswer,
  Me,
  ProblemDetails,
  PURPOSE_HEADER,
  PullTotals,
  ReviewAsk,
  SERVER_EVENTS,
  SearchPage,
  SessionDetail,
  SessionPage,
  SignIn,
  SimilarApprovals,
  StatementPage,
  TapeObjects,
  Trust,
} from './api.ts'

const NAMED: Readonly<Record<string, TSchema>> = {
  ApprovalPage,
  AccessAsk,
  AccessTargets,
  EndAsk,
  ReviewAsk,
  SimilarApprovals,
  ApprovalView,
  DecisionAsk,
  Health,
  Kill,
  KillAnswer,
  Me,
  ProblemDetails,
  FindingExplained,
  FindingPage,
  FindingView,
  PullTotals,
  SearchPage,
  SessionDetail,
  SessionPage,
  SignIn,
  StatementPage,
  TapeObjects,
  Trust,
}

/** The API as an OpenAPI 3.1 document: made of ENDPOINTS, so that what is told is what is checked. */
export function openApi(): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const [name, endpoint] of Object.entries(ENDPOINTS))
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method]: operation(name, endpoint) }
  const events = Object.fromEntries(Object.entries(SERVER_EVENTS).map(([name, schema]) => [`Event_${name}`, schema]))
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sallyport',
      version: '1',
      description:
        'Recorded sessions, their tapes, approvals. Errors are RFC 9457 problems with the codes of docs/errors.md. Texts in answers are of the recorded traffic: untrusted.',
    },
    servers: [{ url: API_BASE }],
    security: [{ cookie: [] }, { bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: 'sallyport',
          description: `Set by sign-in. Everything but GET needs ${CSRF_HEADER} too.`,
        },
        bearer: { type: 'http', scheme: 'bearer', description: 'An access key or a token, for machines' },
      },
      schemas: { ...NAMED, ...events },
    },
  }
}

function operation(
  name: string,
  { path, summary, access, query, body, answer, status = 200 }: Endpoint,
): Readonly<Record<string, unknown>> {
  return {
    operationId: name,
    summary,
    description:
      access === 'anyone'
        ? 'Open to everybody.'
        : access === 'signed-in'
          ? 'For whoever is signed in.'
          : `For the role ${access}.`,
    ...(access === 'anyone' ? { security: [] } : {}),
    parameters: [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => ({
        name: parameter,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      })),
      ...queryParameters(query),
      ...(answer === 'bytes' ? [{ name: 'Range', in: 'header', schema: { type: 'string' } }] : []),
      ...(access === 'viewer' || access === 'investigator'
        ? [{ name: PURPOSE_HEADER, in: 'header', schema: { type: 'string' } }]
        : []),
    ],
    ...(body === undefined ? {} : { requestBody: { required: true, content: { 'application/json': { schema: refOf(body) } } } }),
    responses: {
      [status]: response(answer),
      ...(answer === 'bytes' ? { 206: response(answer), 304: { description: 'Not changed' } } : {}),
      default: { description: 'A problem', content: { 'application/problem+json': { schema: refOf(ProblemDetails) } } },
    },
  }
}

function queryParameters(query: TSchema | undefined): readonly unknown[] {
  if (query === undefined || !('properties' in query) || typeof query.properties !== 'object' || query.properties === null)
    return []
  return Object.entries(query.properties).map(([name, schema]: [string, unknown]) => ({ name, in: 'query', schema }))
}

function response(answer: Endpoint['answer']): Readonly<Record<string, unknown>> {
  switch (answer) {
    case 'bytes':
      return { description: 'The bytes', content: { 'application/octet-stream': {} } }
    case 'events':
      return { description: 'Server-sent events; their data are the schemas Event_*', content: { 'text/event-stream': {} } }
    case 'document':
      return { description: 'The document', content: { 'application/json': {} } }
    case 'nothing':
      return { description: 'Done' }
    default:
      return { description: 'The answer', content: { 'application/json': { schema: refOf(answer) } } }
  }
}

function refOf(schema: TSchema): TSchema | { readonly $ref: string } {
  const name = Object.keys(NAMED).find((each) => NAMED[each] === schema)
  return name === undefined ? schema : { $ref: `#/components/schemas/${name}` }
}
