// The terminal asks its `window` whether it can wait for idle time; a worker has none. Imported before it.
Object.defineProperty(globalThis, 'window', { value: globalThis })
