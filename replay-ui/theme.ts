export type Theme = 'dark' | 'light' | 'system'

const KEY = 'sallyport-theme'

/** What was chosen here before; the system's wish where nothing was. */
export function storedTheme(): Theme {
  const stored = localStorage.getItem(KEY)
  return stored === 'dark' || stored === 'light' ? stored : 'system'
}

/** The other one than what is seen now. */
export function nextTheme(): Theme {
  const dark = storedTheme() === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : storedTheme() === 'dark'
  return dark ? 'light' : 'dark'
}

export function applyTheme(theme: Theme): void {
  if (theme === 'system') {
    localStorage.removeItem(KEY)
    delete document.documentElement.dataset['theme']
  } else {
    localStorage.setItem(KEY, theme)
    document.documentElement.dataset['theme'] = theme
  }
}
