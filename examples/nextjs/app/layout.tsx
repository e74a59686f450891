import type { ReactNode } from 'react'
import { Providers } from './providers'
import 'guildpulse/styles.css'
import './style.css'

export const metadata = { title: 'Is the bot alive?', icons: 'data:,' }

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <Providers>{children}</Providers>
      </body>
    </html>
  )
}
