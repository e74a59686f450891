import { fileURLToPath } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import { defineConfig } from 'vite'

const page = (name: string) => fileURLToPath(new URL(name, import.meta.url))

export default defineConfig({
  root: page('.'),
  plugins: [tailwindcss()],
  build: { rolldownOptions: { input: [page('styles.html'), page('tailwind.html')] } },
})
