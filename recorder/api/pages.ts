import { extname } from 'node:path'
import express, { type RequestHandler, Router } from 'express'
import { sendProblem } from './problem.ts'

/** Names with a hash of their content in them, as Vite gives below assets/, never mean anything else. */
const HASHED = /\/assets\/[^/]+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/

/** The built console: its files as they are, and its start page for every address the page itself knows how to read. */
export function pages(folder: string | undefined): RequestHandler {
  const router = Router({ caseSensitive: true })
  if (folder !== undefined) {
    router.use(
      express.static(folder, {
        index: false,
        dotfiles: 'ignore',
        redirect: false,
        setHeaders: (response, path) => {
          response.setHeader('cache-control', HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache')
        },
      }),
    )
    router.use((request, response, next) => {
      if ((request.method !== 'GET' && request.method !== 'HEAD') || extname(request.path) !== '') next()
      else
        response
          .set('cache-control', 'no-cache')
          .sendFile('index.html', { root: folder }, (error) => (error === undefined ? undefined : next()))
    })
  }
  router.use((_request, response) => sendProblem(response, 'API_UNKNOWN', 'nothing is served under this address'))
  return router
}
