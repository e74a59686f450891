import { dehydrate, HydrationBoundary, QueryClient } from '@tanstack/react-query'
import { guildStatusOptions } from 'guildpulse/query'
import { cookies } from 'next/headers'
import Link from 'next/link'
import { notFound } from 'next/navigation'
import { Panel } from './panel'

export default async function Guild({ params }: { params: Promise<{ guildId: string }> }) {
  const { guildId } = await params
  if (!/^\d{1,20}$/.test(guildId)) notFound()
  const token = (await cookies()).get('auth_token')?.value
  const client = new QueryClient()
  if (token) {
    const options = guildStatusOptions(guildId, {
      statusUrl: `${process.env.GUILDPULSE_URL}/api/v1/guilds/${guildId}/status`,
      headers: { authorization: `Bearer ${token}` },
    })
    // The page is worth showing without it; the browser asks again.
    await client.query({ ...options, retry: false }).catch(() => {})
  }
  return (
    <HydrationBoundary state={dehydrate(client)}>
      <main>
        <h1>Server {guildId}</h1>
        <Panel guildId={guildId} />
        <p>
          <Link href="/">Another server</Link>
        </p>
      </main>
    </HydrationBoundary>
  )
}
